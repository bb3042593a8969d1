#!/usr/bin/env python3
"""A SOCKS5 proxy (RFC 1928) on a free port of loopback: socks_server.py MODE.

MODE is `open` (it relays), `password` (it wants one), `silent` (it takes connections and says nothing), `web` (it speaks
HTTP), or the number of the reply that it gives to each request. It knows one name more than the system: irc.test.local.

Writes its port as its first line, then each target that it was asked for: "irc.test.local 6667".

Takes lines: `cut` closes all clients' connections and leaves those to their targets as they are, which notice nothing;
`release` closes these too.
"""
import socket
import struct
import sys
import threading

mode = sys.argv[1]
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
relayed = []
kept = []


def obey():
    for line in sys.stdin:
        if line.strip() == "cut":
            while relayed:
                client, target = relayed.pop()
                kept.append(target)
                client.shutdown(socket.SHUT_RDWR)
        elif line.strip() == "release":
            while kept:
                kept.pop().shutdown(socket.SHUT_RDWR)


threading.Thread(target=obey, daemon=True).start()


def exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise OSError("closed")
        data += more
    return data


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        if sink not in kept:
            sink.shutdown(socket.SHUT_WR)
    except OSError:
        if sink not in kept:
            sink.close()


def serve(client):
    version, count = exactly(client, 2)
    methods = exactly(client, count)
    if mode == "silent":
        return
    if mode == "web":
        return client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    if mode == "password":
        return client.sendall(b"\x05\x02" if 2 in methods else b"\x05\xff")
    client.sendall(b"\x05\x00")
    _, command, _, kind = exactly(client, 4)
    if kind == 3:
        host = exactly(client, exactly(client, 1)[0]).decode()
    else:
        family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
        host = socket.inet_ntop(family, exactly(client, size))
    (port,) = struct.unpack("!H", exactly(client, 2))
    print(host, port, flush=True)
    tail = b"\x00\x01" + bytes(6)
    if mode != "open":
        return client.sendall(b"\x05" + bytes([int(mode)]) + tail)
    target = socket.create_connection(("127.0.0.1" if host == "irc.test.local" else host, port))
    client.sendall(b"\x05\x00" + tail)
    relayed.append((client, target))
    threading.Thread(target=pump, args=(target, client), daemon=True).start()
    pump(client, target)


def guarded(client):
    try:
        serve(client)
        if mode == "silent":
            client.recv(1)
    except OSError:
        pass
    client.close()


while True:
    threading.Thread(target=guarded, args=(listener.accept()[0],), daemon=True).start()
