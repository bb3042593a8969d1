"""A web server that says more than it was asked, at the moment that the test chooses. For tests.

The first line written is {"port": N}, with --tls also "ca", the certificate's file. Each request is one line more, written
before it is answered: {"path", "id", "connection"}, "connection" counting the connections from 1. The path says how it is
answered: /ok always by 200; /raw/TEXT by the bytes of TEXT (percent-encoded) and the connection's end; /early by 200, on a
connection that was used before as soon as the request's head is there, its body unread; any other: the server's first request
by 200, the later ones by 500.

A line {"write": TEXT, "close": BOOL} on standard input writes a text on the connection that was used last, and ends it if
wanted; when the client's kernel has it, the answer is {"written": true}. It ends when standard input is closed.
"""

import fcntl
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from urllib.parse import unquote, urlsplit

lock = threading.Lock()
connections, requests, last = 0, 0, None


def say(**line):
    with lock:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def read_head(file):
    """The path, the webhook-id and the body's length of the next request; None where the client has gone."""
    first = file.readline()
    if not first:
        return None
    length, name = 0, ""
    while line := file.readline().strip():
        key, _, value = line.partition(b":")
        if key.lower() == b"content-length":
            length = int(value)
        if key.lower() == b"webhook-id":
            name = value.strip().decode()
    return urlsplit(first.split()[1].decode()).path, name, length


def answer(connection, status, body):
    connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


def serve(connection, number):
    global last, requests
    file, on_this = connection.makefile("rb"), 0
    try:
        while head := read_head(file):
            path, name, length = head
            on_this += 1
            with lock:
                requests += 1
                count = requests
            say(path=path, id=name, connection=number)
            if path == "/early" and on_this > 1:
                answer(connection, 200, b"early")
                time.sleep(60)
                return
            file.read(length)
            last = connection
            if path.startswith("/raw/"):
                connection.sendall(unquote(path[5:]).encode())
                return
            answer(connection, 200 if path == "/ok" or count == 1 else 500, b"real")
    except OSError:
        pass
    finally:
        file.close()
        connection.close()


def obey(order):
    last.sendall(order["write"].encode())
    if order.get("close"):
        # On the connection itself: below TLS the bytes that were written are out.
        socket.socket.shutdown(last, socket.SHUT_WR)
    # Nothing is left that the client's kernel has not acknowledged.
    while struct.unpack("i", fcntl.ioctl(last.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]:
        time.sleep(0.001)
    say(written=True)


def accept(listener, context):
    global connections
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        connections += 1
        threading.Thread(target=serve, args=(connection, connections), daemon=True).start()


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", folder + "/key.pem", "-out", folder + "/ca.pem", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/ca.pem", folder + "/key.pem")
    return context


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    # A small window, so that a large body stays with the client while it is not read.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    first, folder, context = {"port": listener.getsockname()[1]}, None, None
    if "--tls" in sys.argv[1:]:
        folder = tempfile.mkdtemp()
        context = make_certificate(folder)
        first["ca"] = folder + "/ca.pem"
    say(**first)
    threading.Thread(target=accept, args=(listener, context), daemon=True).start()
    for line in sys.stdin:
        obey(json.loads(line))
    if folder:
        shutil.rmtree(folder)
    os._exit(0)


main()
