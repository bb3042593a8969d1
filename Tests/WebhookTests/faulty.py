"""A web server that does what servers must not: the request's path says how. For tests.

It speaks HTTP by hand, so that it can break it. The first line written is {"port": N}; each request is one line more,
{"path", "connection", "id"}, "connection" counting the connections from 1. It ends when standard input is closed.
"""

import gzip
import json
import os
import socket
import struct
import sys
import threading
import time

lock = threading.Lock()
connections = 0
seen = {}


def say(**line):
    with lock:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def read_request(file):
    """The path and the webhook-id of the next request; None where the client has gone."""
    first = file.readline()
    if not first:
        return None
    length, name = 0, ""
    while True:
        line = file.readline().strip()
        if not line:
            break
        key, _, value = line.partition(b":")
        if key.lower() == b"content-length":
            length = int(value)
        if key.lower() == b"webhook-id":
            name = value.strip().decode()
    file.read(length)
    return first.split()[1].decode(), name


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def forever(connection, piece, pause=0.0):
    while True:
        connection.sendall(piece)
        if pause:
            time.sleep(pause)


def behave(connection, path, count, on_this):
    """Answers; returns whether the connection is kept."""
    send = connection.sendall
    if path == "/drip":  # the head, a byte at a time
        for byte in b"HTTP/1.1 200 OK\r\n" + b"x-filler: drip\r\n" * 1000:
            send(bytes([byte]))
            time.sleep(0.02)
    elif path == "/drip-body":
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        forever(connection, b"x", 0.02)
    elif path.startswith("/endless/"):
        send(b"HTTP/1.1 %s Whatever\r\n\r\n" % path.split("/")[2].encode())
        forever(connection, b"x" * 65536)
    elif path == "/endless-head":
        send(b"HTTP/1.1 200 OK\r\n")
        forever(connection, b"x-filler: " + b"x" * 1000 + b"\r\n")
    elif path == "/endless-100":
        forever(connection, b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.001)
    elif path.startswith("/bomb/"):  # 64 MiB of zeros in some 64 KiB, and again, and again
        bomb = gzip.compress(b"\0" * (64 << 20), 9)
        send(b"HTTP/1.1 %s Whatever\r\nContent-Encoding: gzip\r\n" % path.split("/")[2].encode())
        send(b"Content-Length: %d\r\n\r\n" % (len(bomb) * 100))
        for _ in range(100):
            send(bomb)
    elif path == "/unzippable":
        send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")
    elif path == "/zipped":
        body = gzip.compress(b"thank you")
        send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return True
    elif path == "/hang":
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        time.sleep(60)
    elif path == "/silent":
        time.sleep(60)
    elif path == "/reset":
        reset(connection)
    elif path == "/reset-midway":
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        time.sleep(0.05)
        reset(connection)
    elif path == "/short":
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    elif path == "/continue":
        send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n")
        send(b"HTTP/1.1 204 No Content\r\n\r\n")
        return True
    elif path.startswith("/moved/"):
        _, _, status, target = path.split("/", 3)
        send(b"HTTP/1.1 %s Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status.encode(), target.encode()))
        return True
    elif path == "/closes-behind":  # says that it keeps the connection, and closes it
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    elif path == "/closes-before":  # takes one request a connection, and drops the next one's connection unanswered
        if on_this > 1:
            return False
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True
    elif path == "/http10":
        send(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nok, until the connection is closed")
    elif path == "/http09":
        send(b"ok, and no word of HTTP")
    elif path == "/nonsense":
        send(b"HTTP/1.1 two hundred\r\n\r\n")
    elif path == "/999":
        send(b"HTTP/1.1 999 Whatever\r\nContent-Length: 0\r\n\r\n")
        return True
    else:
        send(b"HTTP/1.1 204 No Content\r\n\r\n")
        return True
    return False


def serve(connection, number):
    file, on_this = connection.makefile("rb"), 0
    try:
        while request := read_request(file):
            path, name = request
            on_this += 1
            with lock:
                count = seen[path] = seen.get(path, 0) + 1
            say(path=path, connection=number, id=name)
            if not behave(connection, path, count, on_this):
                break
    except OSError:
        pass
    finally:
        file.close()
        connection.close()


def accept(listener):
    global connections
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connections += 1
        threading.Thread(target=serve, args=(connection, connections), daemon=True).start()


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    say(port=listener.getsockname()[1])
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    sys.stdin.read()
    os._exit(0)


main()
