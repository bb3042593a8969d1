#!/usr/bin/env python3
"""An IRC server with CHATHISTORY for one client at a time. It keeps a history of #general and plays this:

The first connection hears one live message, m1, and is cut off with the first thing that it says. Meanwhile m2 to m4 are
said. The second connection hears m5 while it waits for its history.

Its argument says how it gives the history; see the arguments of the test. With "gap" the second connection gets none,
and is cut off when it says "again"; the third one gets all of it.

Writes its port as its first line.
"""
import socket
import sys

MODE = sys.argv[1]
HISTORY = [("m%d" % n, "PRIVMSG #general :text %d" % n) for n in range(1, 6)]
LIVE = dict(HISTORY)
# What people did, and how Ergo tells it to those who cannot take it as it was.
EVENTS = {
    "m1a": ("JOIN #general", "bob joined the channel"),
    "m1b": ("MODE #general +o bob", "bob set channel modes: +o bob"),
    "m1c": ("TOPIC #general :old", "bob set the channel topic to: old"),
    "m2a": ("QUIT :bye", "bob quit (bye)"),
    "m2b": ("NICK rob", "bob changed nick to rob"),
}
if MODE == "events":
    HISTORY = sorted(HISTORY + [(name, line) for name, (line, _) in EVENTS.items()])
NAMES = [name for name, _ in HISTORY]
PAGE = 1 if MODE == "short" else 2
CAPS = "batch draft/chathistory message-tags server-time"
if MODE == "events":
    CAPS += " draft/event-playback"
if MODE == "labels":
    CAPS += " echo-message labeled-response"

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)


def time(name):
    return "2026-11-24T01:00:0%s.%d00Z" % (name[1], "-abc".find(name[2:]) if name[2:] else 0)


def message(name, line, batch=None, source="bob!b@host"):
    tags = "msgid=%s;time=%s" % (name, time(name))
    if batch:
        tags += ";batch=" + batch
    return "@%s :%s %s" % (tags, source, line)


def after(selector):
    """What came after a message; nothing where the server cannot say."""
    kind, value = selector.split("=", 1)
    if kind == "timestamp":
        return [(name, line) for name, line in HISTORY if time(name) > value]
    if MODE in ("purged", "times"):
        return None
    return [] if MODE == "forgotten" else HISTORY[NAMES.index(value) + 1 :]


def serve(connection, number):
    enabled = []

    def send(line):
        connection.sendall(line.encode() + b"\r\n")

    def play(selector, limit, label):
        if label:
            # A bouncer's playback, which nobody has asked for.
            send(":s BATCH +old chathistory #general")
            send("@batch=old;msgid=m0;time=2026-11-23T01:00:00.000Z :bob!b@host PRIVMSG #general :old")
            send(":s BATCH -old")
        lines = None if MODE == "gap" and number == 2 else after(selector)
        if lines is None:
            send(label + ":s FAIL CHATHISTORY MESSAGE_ERROR AFTER #general :Messages could not be retrieved")
            return
        send(label + ":s BATCH +h chathistory #general")
        for name, line in lines[: min(PAGE, limit)]:
            if name in EVENTS and "draft/event-playback" not in enabled:
                send(message(name, "PRIVMSG #general :" + EVENTS[name][1], "h", "HistServ!HistServ@localhost"))
            else:
                send(message(name, line, "h"))
        send(":s BATCH -h")

    for raw in connection.makefile("rb"):
        line = raw.decode().rstrip("\r\n")
        label = ""
        if line.startswith("@"):
            label, line = line.split(" ", 1)
            label += " "
        words = line.split(" ")
        if words[:2] == ["CAP", "LS"]:
            send(":s CAP * LS :" + CAPS)
        elif words[:2] == ["CAP", "REQ"]:
            enabled = " ".join(words[2:]).lstrip(":").split(" ")
            send(":s CAP * ACK " + " ".join(words[2:]))
        elif words[:2] == ["CAP", "END"]:
            send(":s 001 crowbar :Welcome")
            types = " MSGREFTYPES=timestamp" if MODE == "times" else ""
            send(":s 005 crowbar CHATHISTORY=2 CHANTYPES=#%s :are supported" % types)
        elif words[0] == "JOIN":
            send(":crowbar!crowbar@host JOIN #general")
            send(":s 353 crowbar = #general :crowbar bob")
            send(":s 366 crowbar #general :End")
            if number < 3:
                live = "m1" if number == 1 else "m5"
                send(message(live, LIVE[live]))
        elif words[0] == "PING":
            send(":s PONG s " + words[1])
        elif words[0] == "PRIVMSG" and (number == 1 or number == 2 and words[-1] == "again"):
            return
        elif words[0] == "PRIVMSG" and label:
            send(label + ":crowbar!crowbar@host " + line)
        elif words[:3] == ["CHATHISTORY", "AFTER", "#general"]:
            play(words[3], int(words[4]), label)


number = 1
while True:
    accepted, _ = listener.accept()
    with accepted:
        serve(accepted, number)
        accepted.shutdown(socket.SHUT_RDWR)
    number += 1
