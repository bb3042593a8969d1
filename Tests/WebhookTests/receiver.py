"""A webhook receiver for tests. It answers as the path says and writes each request to standard output as a line of JSON.

The first line written is {"port": N}. It ends when standard input is closed. Arguments: the secrets, whsec_..., to
verify signatures by; "verified" says whether one of them signed the request. With --tls as the first argument it speaks
TLS under a certificate of its own for "localhost", whose file the first line names as "ca".
"""

import base64
import collections
import email.utils
import hashlib
import hmac
import json
import os
import queue
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

lock = threading.Lock()
seen = collections.Counter()
started = {}
now_open = 0
most_open = 0


records = queue.SimpleQueue()


def write_records():
    """Writes in a thread of its own, so that no request waits for the test to read."""
    while True:
        sys.stdout.write(json.dumps(records.get()) + "\n")
        sys.stdout.flush()


def is_signed(headers, body):
    if "webhook-signature" not in headers:
        return False
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    for secret in [one for one in sys.argv[1:] if one != "--tls"]:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if any(hmac.compare_digest("v1," + digest, one) for one in headers["webhook-signature"].split(" ")):
            return abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return False


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def answer(self, status, headers=(), body=b"ok"):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        global now_open, most_open
        with lock:
            now_open += 1
            most_open = max(most_open, now_open)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            seen[self.path] += 1
            seen[self.headers["webhook-id"]] += 1
            count, count_of_id = seen[self.path], seen[self.headers["webhook-id"]]
            status = self.planned()
        records.put({
            "path": self.path,
            "id": self.headers["webhook-id"],
            "timestamp": int(self.headers["webhook-timestamp"]),
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body.decode(),
            "verified": is_signed(self.headers, body),
            "client": self.client_address[1],
            "at": int(time.monotonic() * 1000),
            "most": most_open,
            "status": status,
        })
        try:
            if status:
                return self.answer(status, [("Retry-After", "1")] if status == 503 else ())
            self.behave(count, count_of_id)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with lock:
                now_open -= 1

    def planned(self):
        """The status where it is known from the path at once, else 0."""
        kind, *arguments = self.path.strip("/").split("/")
        name = self.headers["webhook-id"]
        if kind == "refuses":  # refuses/50: events whose number is a multiple of 50
            return 400 if int(name.split("-")[-1]) % int(arguments[0]) == 0 else 200
        if kind == "busy":  # busy/8: 503 in the first 8 seconds
            began = started.setdefault(self.path, time.monotonic())
            return 503 if time.monotonic() - began < float(arguments[0]) else 200
        return 0

    def behave(self, count, count_of_id):
        kind, *arguments = self.path.strip("/").split("/")
        if kind == "codes":  # codes/500,200: the first try of an event, the second, … the last for all others
            codes = arguments[0].split(",")
            self.answer(int(codes[min(count_of_id, len(codes)) - 1]))
        elif kind == "wait":  # wait/429/2: the path's first request gets Retry-After
            if count > 1:
                return self.answer(200)
            self.answer(int(arguments[0]), [("Retry-After", arguments[1])])
        elif kind == "wait-date":  # wait-date/503/3
            if count > 1:
                return self.answer(200)
            date = email.utils.formatdate(time.time() + int(arguments[1]), usegmt=True)
            self.answer(int(arguments[0]), [("Retry-After", date)])
        elif kind == "limited":  # limited/JSON, quoted: the path's first request gets its status, headers and body
            if count > 1:
                return self.answer(200)
            told = json.loads(unquote(arguments[0]))
            self.answer(told["status"], list(told.get("headers", {}).items()), told.get("body", "").encode())
        elif kind == "stuck":  # stuck/500: a whole head with that status, a part of the body, and nothing more
            self.send_response(int(arguments[0]))
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"half")
            threading.Event().wait(30)
        elif kind == "redirect":  # redirect/URL, quoted
            self.answer(302, [("Location", unquote(arguments[0]))])
        elif kind == "endless":
            self.send_response(int(arguments[0]))
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            while True:
                self.wfile.write(b"x" * 4096)
        elif kind == "trickle":  # headers, then a byte now and then for ever
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"x")
                time.sleep(0.02)
        elif kind == "hang":  # headers, then nothing
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            threading.Event().wait(30)
        elif kind == "silent":
            threading.Event().wait(30)
        elif kind == "close":  # keeps the connection by its headers, then closes it
            self.answer(200)
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif kind == "echo":
            self.answer(200, body=b"You sent to " + self.path.encode() + b": \x1b[31mred")
        elif kind == "late":  # late/0.2/410: after that time, with that status
            time.sleep(float(arguments[0]))
            self.answer(int(arguments[1]))
        elif kind == "slow":  # slow/0.2
            time.sleep(float(arguments[0]))
            self.answer(200)
        else:
            self.answer(200)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", folder + "/key.pem", "-out", folder + "/ca.pem"],
        check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/ca.pem", folder + "/key.pem")
    return context


def main():
    server = Server(("127.0.0.1", 0), Receiver)
    first, folder = {"port": server.server_address[1]}, None
    if sys.argv[1:2] == ["--tls"]:
        folder = tempfile.mkdtemp()
        server.socket = make_certificate(folder).wrap_socket(server.socket, server_side=True)
        first["ca"] = folder + "/ca.pem"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=write_records, daemon=True).start()
    records.put(first)
    sys.stdin.read()
    if folder:
        shutil.rmtree(folder)
    os._exit(0)


main()
