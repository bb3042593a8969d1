#!/usr/bin/env python3
"""An IRC server with echoes and labels (IRCv3 echo-message, labeled-response). What it answers to a message is in the
message's last word:

    echo       the message, with its label
    list       a batch with the label, in which is a refusal for good
    drop       an ACK, as the message went nowhere
    nothing    nothing
    flood      as echo; then bob says four lines in one piece

To a PING it answers as any server. It writes its port as its first line, and then each line that it hears.
"""
import socket

CAPS = "batch echo-message labeled-response message-tags server-time"
BOB = ":bob!b@host PRIVMSG #general :"

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)


def serve(connection):
    def send(*lines):
        connection.sendall("".join(line + "\r\n" for line in lines).encode())

    for raw in connection.makefile("rb"):
        line = raw.decode().rstrip("\r\n")
        print(line, flush=True)
        label = ""
        if line.startswith("@"):
            label, line = line.split(" ", 1)
            label += " "
        words = line.split(" ")
        echo = label + ":crowbar!crowbar@host " + line
        if words[:2] == ["CAP", "LS"]:
            send(":s CAP * LS :" + CAPS)
        elif words[:2] == ["CAP", "REQ"]:
            send(":s CAP * ACK " + " ".join(words[2:]))
        elif words[:2] == ["CAP", "END"]:
            send(":s 001 crowbar :Welcome")
        elif words[0] == "JOIN":
            send(
                ":crowbar!crowbar@host JOIN #general", ":s 353 crowbar = #general :crowbar bob",
                ":s 366 crowbar #general :End")
        elif words[0] == "PING":
            send(":s PONG s " + words[1])
        elif words[0] == "QUIT":
            return
        elif words[-1] == "echo":
            send(echo)
        elif words[-1] == "list":
            send(
                label + ":s BATCH +b labeled-response",
                "@batch=b :s 401 crowbar #general :Cannot send to channel",
                "@batch=b :s NOTE PRIVMSG X :more of it",
                ":s BATCH -b",
            )
        elif words[-1] == "drop":
            send(label + ":s ACK")
        elif words[-1] == "flood":
            send(echo, *[BOB + "line %d" % n for n in range(1, 5)])


while True:
    accepted, _ = listener.accept()
    with accepted:
        serve(accepted)
