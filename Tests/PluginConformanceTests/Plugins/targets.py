"""What the examples and the built-in plugins send to, on this machine: an HTTP server that accepts everything (202), and
two Unix sockets that answer `ok` to a line.

Usage: targets.py FOLDER. Writes {"port": N} and ends when standard input is closed.
"""
import http.server
import json
import os
import pathlib
import socketserver
import sys
import threading


class Accept(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.readline()
        self.wfile.write(b"ok\n")


class Socket(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


folder = pathlib.Path(sys.argv[1])
for name in ["first", "second"]:
    server = Socket(str(folder / name), Answer)
    # The plugin has a user of its own.
    os.chmod(folder / name, 0o777)
    threading.Thread(target=server.serve_forever, daemon=True).start()
web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Accept)
threading.Thread(target=web.serve_forever, daemon=True).start()
print(json.dumps({"port": web.server_address[1]}), flush=True)
sys.stdin.read()
