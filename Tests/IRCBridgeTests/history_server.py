#!/usr/bin/env python3
"""An IRC server with CHATHISTORY for one client at a time. It keeps a history of #general and plays this:

The first connection hears one live message, m1, and is cut off with the first thing that it says. Meanwhile m2 to m4 are
said. The second connection hears m5 while it waits for its history, which comes in pages of two.

Writes its port as its first line.
"""
import socket

HISTORY = [("m%d" % n, "text %d" % n) for n in range(1, 6)]
PAGE = 2
CAPS = "batch draft/chathistory message-tags server-time"

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)


def message(identity, text, batch=None):
    tags = "msgid=%s;time=2026-11-24T01:00:0%s.000Z" % (identity, identity[1:])
    if batch:
        tags += ";batch=" + batch
    return "@%s :bob!b@host PRIVMSG #general :%s" % (tags, text)


def serve(connection, is_first):
    def send(line):
        connection.sendall(line.encode() + b"\r\n")

    for raw in connection.makefile("rb"):
        words = raw.decode().rstrip("\r\n").split(" ")
        if words[:2] == ["CAP", "LS"]:
            send(":s CAP * LS :" + CAPS)
        elif words[:2] == ["CAP", "REQ"]:
            send(":s CAP * ACK " + " ".join(words[2:]))
        elif words[:2] == ["CAP", "END"]:
            send(":s 001 crowbar :Welcome")
            send(":s 005 crowbar CHATHISTORY=%d CHANTYPES=# :are supported" % PAGE)
        elif words[0] == "JOIN":
            send(":crowbar!crowbar@host JOIN #general")
            send(":s 353 crowbar = #general :crowbar bob")
            send(":s 366 crowbar #general :End")
            if is_first:
                send(message(*HISTORY[0]))
            else:
                send(message(*HISTORY[4]))
        elif words[0] == "PING":
            send(":s PONG s " + words[1])
        elif words[0] == "PRIVMSG" and is_first:
            return
        elif words[:3] == ["CHATHISTORY", "AFTER", "#general"]:
            after = [name for name, _ in HISTORY].index(words[3].split("=")[1])
            send(":s BATCH +h chathistory #general")
            for name, text in HISTORY[after + 1 : after + 1 + min(PAGE, int(words[4]))]:
                send(message(name, text, "h"))
            send(":s BATCH -h")


first = True
while True:
    accepted, _ = listener.accept()
    with accepted:
        serve(accepted, first)
        accepted.shutdown(socket.SHUT_RDWR)
    first = False
