#!/usr/bin/env python3
"""An IRC server with CHATHISTORY for one client at a time, whose messages share their milliseconds.

The first connection hears message 0 and is cut off with the first thing that it says, or within the message. Meanwhile
the others are said. The next connections get the history, and hear "end" while they wait for it.

Its argument is JSON:
  count      messages after message 0
  perMoment  messages of one millisecond
  lines      lines of a message; only the first one has an id
  ids        whether messages have ids
  page       what the server gives at once, and its limit
  limit      the limit that it tells, where that is another one
  byLines    whether it counts lines, and may cut a message; it then skips the rest
  unknown    what it answers to the id of message 0: "fail", "empty" or "none"
  fine       whether it compares times finer than it tells them
  cut        the lines of message 0 after which it cuts the first connection off; 0: not there

Writes its port as its first line.
"""
import json
import socket
import sys

MODE = json.loads(sys.argv[1])
FIRST = 1_795_482_001_000

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)


def time(number):
    """The milliseconds of a message: message 0 shares them with those after it."""
    return FIRST + number // MODE["perMoment"]


def told(milliseconds):
    return "2026-11-24T01:%02d:%02d.%03dZ" % (
        milliseconds // 60_000 % 60,
        milliseconds // 1000 % 60,
        milliseconds % 1000,
    )


def lines(number, batch=""):
    for part in range(MODE["lines"]):
        tags = "time=" + told(time(number))
        if MODE["ids"] and part == 0:
            tags += ";msgid=m%d" % number
        text = "text %d" % number + (" line %d" % part if MODE["lines"] > 1 else "")
        yield "@%s%s :bob!b@host PRIVMSG #general :%s" % (tags, batch, text)


def after(selector):
    """The numbers of the messages after another one; nothing where the server cannot say."""
    kind, value = selector.split("=", 1)
    numbers = range(MODE["count"] + 1)
    if kind == "msgid":
        if not MODE["ids"] or (value == "m0" and MODE["unknown"] == "fail"):
            return None
        if value == "m0" and MODE["unknown"] == "empty":
            return []
        return [n for n in numbers if n > int(value[1:])]
    if MODE["fine"]:
        return [n for n in numbers if told(time(n)) >= value]
    return [n for n in numbers if told(time(n)) > value]


def page(numbers, limit):
    most = min(limit, MODE["page"])
    if not MODE["byLines"]:
        return [line for n in numbers[:most] for line in lines(n, ";batch=h")]
    return [line for n in numbers for line in lines(n, ";batch=h")][:most]


def serve(connection, number):
    def send(line):
        connection.sendall(line.encode() + b"\r\n")

    for raw in connection.makefile("rb"):
        words = raw.decode().rstrip("\r\n").split(" ")
        if words[:2] == ["CAP", "LS"]:
            send(":s CAP * LS :batch draft/chathistory message-tags server-time")
        elif words[:2] == ["CAP", "REQ"]:
            send(":s CAP * ACK " + " ".join(words[2:]))
        elif words[:2] == ["CAP", "END"]:
            send(":s 001 crowbar :Welcome")
            send(":s 005 crowbar CHATHISTORY=%d CHANTYPES=# :are supported" % MODE.get("limit", MODE["page"]))
        elif words[0] == "JOIN":
            send("@time=%s :crowbar!crowbar@host JOIN #general" % told(FIRST - 1000))
            send(":s 366 crowbar #general :End")
            if number > 1:
                send("@time=%s;msgid=end :bob!b@host PRIVMSG #general :end" % told(FIRST + 60_000))
                continue
            for at, line in enumerate(lines(0)):
                if MODE["cut"] and at == MODE["cut"]:
                    return
                send(line)
        elif words[0] == "PING":
            send(":s PONG s " + words[1])
        elif words[0] == "PRIVMSG" and number == 1:
            return
        elif words[:3] == ["CHATHISTORY", "AFTER", "#general"]:
            numbers = after(words[3])
            if numbers is None:
                send(":s FAIL CHATHISTORY MESSAGE_ERROR AFTER #general :Messages could not be retrieved")
                continue
            send(":s BATCH +h chathistory #general")
            for line in page(numbers, int(words[4])):
                send(line)
            send(":s BATCH -h")


number = 1
while True:
    accepted, _ = listener.accept()
    with accepted:
        try:
            serve(accepted, number)
            # With a reset what was sent might not be read.
            accepted.shutdown(socket.SHUT_WR)
            while accepted.recv(4096):
                pass
        except OSError:
            pass  # The client was killed.
    number += 1
