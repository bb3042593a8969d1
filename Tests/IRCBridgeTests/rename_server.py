#!/usr/bin/env python3
"""An IRC server for one client at a time, whose channel #general is renamed to #lounge when the client says "rename".

Its arguments:
  capability  it has draft/channel-rename; else it shows the renaming as PART and JOIN
  redirect    who joins #general later is told its new name
  labels      it has echo-message and labeled-response

Writes its port as its first line, then what it hears: `JOIN #channel`, `PART #channel`, and `SAID #channel text`.
"""
import socket
import sys

CAPS = ["batch", "message-tags"]
if "capability" in sys.argv:
    CAPS.append("draft/channel-rename")
if "labels" in sys.argv:
    CAPS += ["echo-message", "labeled-response"]
OLD, NEW = "#general", "#lounge"

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
channels = {OLD}


def serve(connection):
    enabled = []
    joined = set()

    def send(line):
        connection.sendall(line.encode() + b"\r\n")

    def join(name):
        channels.add(name)
        joined.add(name)
        send(":crowbar!crowbar@host JOIN " + name)
        send(":s 353 crowbar = %s :crowbar bob" % name)
        send(":s 366 crowbar %s :End" % name)

    def rename():
        channels.remove(OLD)
        channels.add(NEW)
        joined.discard(OLD)
        if "draft/channel-rename" in enabled:
            joined.add(NEW)
            send(":bob!b@host RENAME %s %s :Better name" % (OLD, NEW))
        else:
            send(":crowbar!crowbar@host PART %s :Better name" % OLD)
            join(NEW)
        send("@msgid=welcome :bob!b@host PRIVMSG %s :welcome" % NEW)

    for raw in connection.makefile("rb"):
        line = raw.decode().rstrip("\r\n")
        label = ""
        if line.startswith("@"):
            label, line = line.split(" ", 1)
            label += " "
        words = line.split(" ")
        if words[:2] == ["CAP", "LS"]:
            send(":s CAP * LS :" + " ".join(CAPS))
        elif words[:2] == ["CAP", "REQ"]:
            enabled = " ".join(words[2:]).lstrip(":").split(" ")
            send(":s CAP * ACK " + " ".join(words[2:]))
        elif words[:2] == ["CAP", "END"]:
            send(":s 001 crowbar :Welcome")
            send(":s 005 crowbar CHANTYPES=# :are supported")
        elif words[0] == "JOIN":
            print(line, flush=True)
            if words[1] == OLD and NEW in channels and "redirect" in sys.argv:
                send(":s FAIL JOIN CHANNEL_RENAMED %s %s :The channel has been renamed" % (OLD, NEW))
            else:
                join(words[1])
        elif words[0] == "PART":
            print(line, flush=True)
            joined.discard(words[1])
            send(":crowbar!crowbar@host " + line)
        elif words[0] == "PING":
            send(":s PONG s " + words[1])
        elif words[0] == "PRIVMSG":
            text = line.split(" :", 1)[1]
            if words[1] not in joined:
                send(label + ":s 403 crowbar %s :No such channel" % words[1])
                continue
            print("SAID %s %s" % (words[1], text), flush=True)
            if label:
                send(label + ":crowbar!crowbar@host " + line)
            if text.endswith("rename"):
                rename()
            if text.endswith("bye"):
                return


while True:
    accepted, _ = listener.accept()
    with accepted:
        try:
            serve(accepted)
            accepted.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # The client was killed.
