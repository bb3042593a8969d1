#!/usr/bin/env python3
"""An IRC server with messages of several lines, deletions and answers (IRCv3 multiline, message-redaction and the
client tag +draft/reply), for one client at a time. Every message gets an id: c1, c2 and so on.

The last word of a message says what comes of it, beside its echo:

    bob     bob answers it with a message of several lines, whose id is b1
    eve     eve answers b1
    redact  an operator deletes b1
    cut     the connection ends before the echo, the first time

It writes its port as its first line, and then a JSON object for each message and each deletion that it accepts:
{"id": …, "lines": […], "reply": …} or {"redacted": …}, and {"refused": …} for what it does not.
"""
import json
import socket

MAX_LINES, MAX_BYTES = 8, 200
CAPS = (
    "batch echo-message labeled-response message-tags server-time draft/message-redaction "
    "draft/multiline=max-bytes=%d,max-lines=%d" % (MAX_BYTES, MAX_LINES))
CROW, BOB, EVE = ":crowbar!crowbar@host", ":bob!b@host", ":eve!e@host"

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
said = set()
was_cut = False


def tell(**what):
    print(json.dumps(what), flush=True)


def serve(connection):
    global was_cut
    batch = None

    def send(*lines):
        connection.sendall("".join(line + "\r\n" for line in lines).encode())

    def act(word, message):
        if word == "bob":
            send(
                "@msgid=b1;+draft/reply=%s %s BATCH +9 draft/multiline #general" % (message, BOB),
                "@batch=9 %s PRIVMSG #general :an" % BOB,
                "@batch=9;draft/multiline-concat %s PRIVMSG #general :swer" % BOB,
                "@batch=9 %s PRIVMSG #general :" % BOB, "@batch=9 %s PRIVMSG #general :*end*" % BOB, ":s BATCH -9")
        elif word == "eve":
            send("@msgid=e1;+draft/reply=b1 %s PRIVMSG #general :me too" % EVE)
        elif word == "redact":
            send(":op!o@host REDACT #general b1 :no")

    def accept(label, tags, texts):
        """Shows a message to its sender; returns whether the connection goes on."""
        global was_cut
        word = texts[-1][1].split(" ")[-1]
        message = "c%d" % (len(said) + 1)
        said.add(message)
        whole = []
        for is_joined, text in texts:
            if is_joined:
                whole[-1] += text
            else:
                whole.append(text)
        tell(id=message, lines=whole, reply=tags.get("+draft/reply"))
        if word == "cut" and not was_cut:
            was_cut = True
            return False
        own = "@label=%s;msgid=%s %s " % (label, message, CROW)
        if len(texts) == 1:
            send(own + "PRIVMSG #general :" + texts[0][1])
        else:
            send(own + "BATCH +x draft/multiline #general")
            send(*["@batch=x %s PRIVMSG #general :%s" % (CROW, text) for _, text in texts])
            send(":s BATCH -x")
        act(word, message)
        return True

    for raw in connection.makefile("rb"):
        line = raw.decode().rstrip("\r\n")
        tags = {}
        if line.startswith("@"):
            text, line = line.split(" ", 1)
            tags = dict(tag.split("=", 1) if "=" in tag else (tag, "") for tag in text[1:].split(";"))
        words = line.split(" ")
        label = tags.get("label")
        if "batch" in tags:
            batch["texts"].append(("draft/multiline-concat" in tags, line.split(" :", 1)[1]))
            continue
        # While a batch is open nothing else comes.
        assert batch is None or words[0] == "BATCH", line
        if words[:2] == ["CAP", "LS"]:
            send(":s CAP * LS :" + CAPS)
        elif words[:2] == ["CAP", "REQ"]:
            send(":s CAP * ACK " + " ".join(words[2:]))
        elif words[:2] == ["CAP", "END"]:
            send(":s 001 crowbar :Welcome")
        elif words[0] == "JOIN":
            send(
                "%s JOIN #general" % CROW, ":s 353 crowbar = #general :crowbar bob eve", ":s 366 crowbar #general :End")
        elif words[0] == "PING":
            send(":s PONG s " + words[1])
        elif words[0] == "QUIT":
            return
        elif words[0] == "BATCH" and words[1].startswith("+"):
            batch = {"tags": tags, "texts": []}
        elif words[0] == "BATCH":
            whole, batch = batch, None
            length = sum(len(text.encode()) + (not is_joined) for is_joined, text in whole["texts"]) - 1
            label = whole["tags"].get("label")
            if any("refuse" in text for _, text in whole["texts"]):
                tell(refused="BATCH")
                send("@label=%s :s FAIL BATCH MULTILINE_INVALID :Not this one" % label)
            elif length > MAX_BYTES or len(whole["texts"]) > MAX_LINES:
                tell(refused="too long")
                send("@label=%s :s FAIL BATCH MULTILINE_MAX_BYTES %d :Too long" % (label, MAX_BYTES))
            elif not accept(label, whole["tags"], whole["texts"]):
                return
        elif words[0] == "PRIVMSG":
            if not accept(label, tags, [(False, line.split(" :", 1)[1])]):
                return
        elif words[0] == "REDACT" and words[2] in said:
            tell(redacted=words[2])
            send("%s REDACT #general %s" % (CROW, words[2]), "@label=%s :s ACK" % label)
        elif words[0] == "REDACT":
            tell(refused=words[2])
            send("@label=%s :s FAIL REDACT UNKNOWN_MSGID #general %s :It does not exist" % (label, words[2]))


while True:
    accepted, _ = listener.accept()
    with accepted:
        serve(accepted)
        accepted.shutdown(socket.SHUT_RDWR)
