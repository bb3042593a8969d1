#!/usr/bin/env python3
"""A person on IRC: joins a channel, writes each message it hears as a line, says each line it is given. A line `/raw LINE` goes to
the server as it is; then it also writes the channel's changes of mode.

    irc_client.py PORT NICK CHANNEL
"""
import socket
import sys
import threading

port, nick, channel = int(sys.argv[1]), sys.argv[2], sys.argv[3]
connection = socket.create_connection(("127.0.0.1", port), timeout=30)
connection.settimeout(None)


def send(line):
    connection.sendall(line.encode() + b"\r\n")


raws = []


def say():
    for line in sys.stdin:
        if line.startswith("/raw "):
            raws.append(line)
            send(line[5:].rstrip())
            continue
        send(f"PRIVMSG {channel} :{line.rstrip()}")
    connection.shutdown(socket.SHUT_RDWR)


send(f"NICK {nick}")
send(f"USER {nick} 0 * :{nick}")
for raw in connection.makefile("rb"):
    line = raw.decode("utf-8", "replace").rstrip("\r\n")
    words = line.split(" ")
    if words[0] == "PING":
        send("PONG " + words[1])
    elif words[1] == "001":
        send("JOIN " + channel)
    elif words[1] == "366":
        print("joined", flush=True)
        threading.Thread(target=say, daemon=True).start()
    elif words[1] == "MODE" and raws:
        print("mode " + " ".join(words[3:]), flush=True)
    elif words[1] == "PRIVMSG":
        print(line.split(" :", 1)[1], flush=True)
