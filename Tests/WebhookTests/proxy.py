"""A small HTTP proxy for tests: CONNECT, and requests with an absolute URL.

The first line written is {"port": N}; then a line for each request: {"method", "target", "authorization", "names": the names
of its headers}. Names that end in .example are this machine to it, but refused.example, which it refuses with 403. With
--password USER:PASSWORD it wants these. It ends when standard input is closed.
"""

import base64
import json
import os
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

lock = threading.Lock()
wanted = None
if sys.argv[1:2] == ["--password"]:
    wanted = "Basic " + base64.b64encode(sys.argv[2].encode()).decode()


def reach(host, port):
    return socket.create_connection(("127.0.0.1" if host.endswith(".example") else host, port), 10)


def pump(source, sink):
    """Copies one way until it ends, and says so to the other side."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def is_refused(self, host):
        with lock:
            print(json.dumps({
                "method": self.command, "target": self.path, "authorization": self.headers["proxy-authorization"],
                "names": [name.lower() for name in self.headers]}), flush=True)
        if wanted and self.headers["proxy-authorization"] != wanted:
            self.refuse(407, [("Proxy-Authenticate", 'Basic realm="test"')])
        elif host == "refused.example":
            self.refuse(403)
        else:
            return False
        return True

    def refuse(self, status, headers=()):
        self.rfile.read(int(self.headers["content-length"] or 0))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_CONNECT(self):
        host, _, port = self.path.rpartition(":")
        if self.is_refused(host):
            return
        with reach(host, int(port)) as other:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=pump, args=(other, self.connection), daemon=True)
            back.start()
            pump(self.connection, other)
            back.join(10)
        self.close_connection = True

    def do_POST(self):
        url = urlsplit(self.path)
        if self.is_refused(url.hostname):
            return
        body = self.rfile.read(int(self.headers["content-length"]))
        with reach(url.hostname, url.port or 80) as other:
            lines = [f"POST {url.path} HTTP/1.0"]
            lines += [f"{name}: {value}" for name, value in self.headers.items() if not name.lower().startswith("proxy-")]
            other.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
            answer = b""
            while data := other.recv(65536):
                answer += data
        self.connection.sendall(answer)
        self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True


def main():
    server = Server(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    sys.stdin.read()
    os._exit(0)


main()
