#!/usr/bin/env python3
"""An IRC server that is well-behaved until it reads a line from its standard input, and hostile from then on:
hostile_server.py MODE.

It writes its port as its first line. MODE is what it does to the client, after it has let it join #general:

    endless   a line without an end
    long      lines of 17,000 bytes
    returns   lines that end in CR alone
    nuls      lines full of NULs, a PING of NULs, and one of 4,000 bytes
    names     100,000 names in #general
    elsewhere people who join, and are in, 10,000 channels that the client is not in
    people    4,000 people with nicks of 8,000 bytes who join
    split     20,000 people who go with a netsplit and come back, twice over
    ids       2,000 messages with ids of 8,000 bytes
    missing   each numeric and command with no, one, two and three parameters, from nobody, the server and people
    random    4 MB of random bytes
    silent    from the beginning: it takes connections and says nothing
    deaf      PINGs without end, whose answers it does not read
    capless   at the next connection a list of capabilities without an end

Whatever leaves the connection open ends with a message of eve's, "survived"; with `nuls` once the PING of 4,000 bytes is
answered. It leaves a client that writes NULs or lines of over 512 bytes.
"""
import random
import socket
import sys
import threading

mode = sys.argv[1]
is_hostile = threading.Event()
survived = b":eve!e@h PRIVMSG #general :survived\r\n"


def nuls(send):
    send(b"PING :" + b"\0" * 400 + b"\r\n")
    send(b"PING :a\0b\r\n")
    send(b"PING :" + b"x" * 4000 + b"\r\n")
    for i in range(1000):
        send(b"\0" * 50 + b":e\0ve!e@h PRIV\0MSG #gen\0eral :\0\0" + b"\0" * 200 + b"\r\n")
        send(b":e\0ve!e@h PRIVMSG crowbar :!help\r\n")


def names(send):
    for start in range(0, 100_000, 50):
        people = b" ".join(b"n%d!user@host.example" % (start + i) for i in range(50))
        send(b":s 353 crowbar = #general :%s\r\n" % people)
    send(b":s 366 crowbar #general :End\r\n" * 1000)


def elsewhere(send):
    for i in range(10_000):
        send(b":p%d!u@h JOIN #c%d\r\n:s 353 crowbar = #c%d :a%d b%d c%d\r\n" % ((i,) * 6))


def people(send):
    for i in range(4_000):
        send(b":%d%s!u@h JOIN #general\r\n" % (i, b"n" * 8000))


def split(send):
    for i in range(40_000):
        send(b":p%d!u@h JOIN #general\r\n:p%d!u@h QUIT :a.example.org b.example.org\r\n" % ((i % 20_000,) * 2))


def ids(send):
    for i in range(2000):
        send(b"@msgid=%d%s :eve!e@h PRIVMSG #general :%d\r\n" % (i, b"i" * 8000, i))


def missing(send):
    words = ["%03d" % i for i in range(1000)] + [
        "PRIVMSG", "NOTICE", "JOIN", "PART", "QUIT", "NICK", "KICK", "TOPIC", "MODE", "ACCOUNT", "CHGHOST", "SETNAME",
        "INVITE", "BATCH", "FAIL", "WARN", "NOTE", "PONG", "PING", "ACK", "CAP", "AUTHENTICATE", "ERROR", "TAGMSG",
        "KILL",
    ]
    # Of the client itself only what does not put it out of the channel, which is its right.
    for source in ["", ":", ":s ", ":eve!e@h ", ":!@ ", "@batch ", "@label=1 ", "@=;; "]:
        for word in words:
            for params in ["", " x", " #general", " crowbar #general", " :", " crowbar x :", " :a b"]:
                send((source + word + params + "\r\n").encode())


def noise(send):
    source = random.Random(7)
    for _ in range(64):
        send(source.randbytes(65536))
    send(b"\r\n")


def endless(send):
    while True:
        send(b"x" * 65536)


def long(send):
    for _ in range(50):
        send(b"x" * 17_000 + b"\r\n")


def returns(send):
    while True:
        send(survived[:-1] * 1000)


def deaf(send):
    # As long as a line may be: the client has to read few of them until its answers fill all buffers.
    while True:
        send(b"PING :" + b"x" * 500 + b"\r\n")


acts = {
    "nuls": nuls, "names": names, "elsewhere": elsewhere, "people": people, "split": split, "ids": ids,
    "missing": missing, "random": noise, "endless": endless, "long": long, "returns": returns,
    "deaf": deaf,
}


def attack(client, send):
    is_hostile.wait()
    try:
        if mode == "capless":
            return client.shutdown(socket.SHUT_RDWR)
        acts[mode](send)
        if mode != "nuls":
            send(survived)
    except OSError:
        pass


def serve(client):
    if mode == "silent":
        while client.recv(4096):
            pass
    lock = threading.Lock()

    def send(data):
        with lock:
            client.sendall(data)

    attacked = False
    for raw in client.makefile("rb"):
        if b"\0" in raw or len(raw) > 512:
            raise OSError("no line of IRC")
        if mode == "deaf" and is_hostile.is_set():
            threading.Event().wait()
        words = raw.decode(errors="replace").rstrip("\r\n").split(" ")
        if words[:2] == ["CAP", "LS"]:
            while mode == "capless" and is_hostile.is_set():
                send(b":s CAP * LS * :example.org/%d\r\n" % random.getrandbits(64))
            send(b":s CAP * LS :message-tags batch\r\n")
        elif words[:2] == ["CAP", "REQ"]:
            send(b":s CAP * ACK " + " ".join(words[2:]).encode() + b"\r\n")
        elif words[:2] == ["CAP", "END"]:
            send(b":s 001 crowbar :Welcome\r\n")
        elif words[0] == "JOIN":
            send(b":crowbar!crowbar@host JOIN #general\r\n:s 353 crowbar = #general :crowbar eve\r\n")
            if mode != "names":
                send(b":s 366 crowbar #general :End\r\n")
            # A client that is welcomed again (001) joins again, which begins no second attack.
            if not attacked:
                attacked = True
                threading.Thread(target=attack, args=(client, send), daemon=True).start()
        elif words[0] == "PONG" and words[-1].startswith("xxx"):
            send(survived)
        elif words[0] == "PING":
            send(b":s PONG s " + words[1].encode() + b"\r\n")


def guarded(client):
    try:
        serve(client)
    except (OSError, IndexError):
        pass
    client.close()


def wait_for_word():
    sys.stdin.readline()
    is_hostile.set()


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
threading.Thread(target=wait_for_word, daemon=True).start()
while True:
    threading.Thread(target=guarded, args=(listener.accept()[0],), daemon=True).start()
