#!/usr/bin/env python3
"""An IRC server that treats a client's lines as ircu does (Undernet): it reads one every 2 s, and ends the connection where
over 1,024 bytes wait to be read. It has nothing of IRCv3.

It writes its port as its first line, then `connection` for each one, `flood` where it ends one, and the text of each message
that it reads.
"""
import select
import socket
import threading
import time

PACE = 2.0
MOST = 1024

listener = socket.create_server(("127.0.0.1", 0))


def say(text):
    print(text, flush=True)


def answer(line):
    words = line.split(" ")
    if words[0] == "USER":
        return [":irc.test.local 001 crowbar :Welcome"]
    if words[0] == "JOIN":
        return [
            ":crowbar!~crowbar@127.0.0.1 JOIN :#general", ":irc.test.local 353 crowbar = #general :crowbar",
            ":irc.test.local 366 crowbar #general :End of /NAMES list."]
    if words[0] == "PING":
        return [":irc.test.local PONG irc.test.local " + words[1]]
    if words[0] == "PRIVMSG":
        say(line.split(" :", 1)[1])
    if words[0] == "CAP":
        return [":irc.test.local 421 * CAP :Unknown command"]
    return []


def serve(connection):
    say("connection")
    waiting = b""
    due = time.monotonic()
    while True:
        left = max(0.0, due - time.monotonic()) if b"\n" in waiting else None
        if select.select([connection], [], [], left)[0]:
            data = connection.recv(4096)
            if not data:
                return
            waiting += data
            if len(waiting) > MOST:
                say("flood")
                connection.sendall(b"ERROR :Closing Link: crowbar by irc.test.local (Excess Flood)\r\n")
                return
        if b"\n" in waiting and time.monotonic() >= due:
            line, waiting = waiting.split(b"\n", 1)
            due = time.monotonic() + PACE
            for text in answer(line.decode().rstrip("\r")):
                connection.sendall((text + "\r\n").encode())


def run(connection):
    with connection:
        try:
            serve(connection)
        except OSError:
            pass


say(listener.getsockname()[1])
while True:
    accepted, _ = listener.accept()
    threading.Thread(target=run, args=(accepted,), daemon=True).start()
