#!/usr/bin/env python3
"""A plugin that breaks the protocol in one way, said by its configuration's `fault`, and keeps to it otherwise."""
import json
import os
import sys
import time

out = sys.stdout.buffer


def say(**message):
    out.write(json.dumps(message).encode() + b"\n")
    out.flush()


def misbehave(fault, delivery):
    """Once, at the first event, before it is acknowledged."""
    if fault == "stdout-flood":
        for i in range(20_000):
            out.write(b"a line of a chatty library, number %d\n" % i)
    elif fault == "stderr-flood":
        sys.stderr.buffer.write(b"x" * (8 << 20))
        sys.stderr.flush()
    elif fault == "stderr-lines":
        for _ in range(1_000):
            sys.stderr.buffer.write((b"x" * 8200 + b"\n") * 5)
        sys.stderr.flush()
    elif fault == "strike-flood":
        # In one piece or in many: the host does not take it to the end.
        try:
            for _ in range(500):
                out.write(b"{\n" * 16384)
            out.flush()
        except BrokenPipeError:
            pass
        time.sleep(60)
    elif fault == "forger":
        forged = "\n2026-11-01T00:00:00 error forged: \x1b[2J\u2028\u0085the end"
        say(type="reject", delivery=delivery, code="a" + forged, message="b" + forged, deadLetter=True)
        say(type="log", level="info", message="c" + forged)
    elif fault == "cut-ack":
        out.write(b'{"type":"ack","deliverya log line cut into it\n')
    elif fault == "long-line":
        out.write(b'{"type":"log","message":"' + b"y" * (50 << 20) + b'"}\n')
    elif fault == "garbage":
        out.write(b"{\xff\xfe\x00}\n" + b'{"a":' * 3000 + b"\n" + b'{"type":"ack","delivery":NaN}\n')
        out.write(b'{"type":"ack","type":"ack","delivery":1}\n{"type":"log","message":"\xc3\x28","level":"info"}\n')
        out.write(b'{"type":"ack","delivery":9223372036854775808}\n{"type":"ack","delivery":-1}\n{}\n')
    elif fault == "odd-acks":
        for number in (0, delivery + 1000, 1 << 62):
            say(type="ack", delivery=number)
        say(type="ack", delivery=delivery)
        say(type="ack", delivery=delivery)
        say(type="retry", delivery=delivery, code="late", message="settled before")
        say(type="reject", delivery=delivery, code="late", deadLetter=True)


def talk(folder):
    """Asks for answers that it does not take, far more than the host may keep."""
    line = json.dumps(dict(type="command", id="x" * 200, cause=999_999, command={})).encode() + b"\n"
    # After 'start', which is in the pipe until then: a command before it is an offence.
    sys.stdin.buffer.readline()
    for _ in range(64):
        out.write(line * ((1 << 20) // len(line)))
        out.flush()
    with open(os.path.join(folder, "talked"), "w"):
        pass
    time.sleep(60)


def main():
    fault, folder, first = "", ".", True
    for line in sys.stdin.buffer:
        message = json.loads(line)
        kind = message["type"]
        if kind == "hello":
            fault, folder = message["config"]["fault"], message["dataDir"]
            if fault == "crash-loop":
                with open(os.path.join(folder, "starts"), "a") as file:
                    file.write("x")
                sys.exit(1)
            ready = dict(type="ready", protocol=2 if fault == "protocol" else 1, name="faulty", version="1")
            if fault == "forger":
                ready["name"] = ready["version"] = "1\nforged"
            if fault == "rights":
                ready["queues"] = [{"name": "all", "channels": ["secret"]}]
            say(**ready)
            if fault == "deaf-talk":
                talk(folder)
            if fault == "deaf-ears":
                while not os.path.exists(os.path.join(folder, "listen")):
                    time.sleep(0.02)
        elif kind == "event":
            text = message["event"].get("message", "")
            if first and message["attempt"] == 1:
                misbehave(fault, message["delivery"])
            first = False
            with open(os.path.join(folder, "seen"), "a") as file:
                file.write(json.dumps(dict(message=text, attempt=message["attempt"])) + "\n")
            if fault == "uncounted" and message.get("uncounted", 0) != message["attempt"] - 1:
                say(type="reject", delivery=message["delivery"], code="miscounted", deadLetter=True)
            elif fault == "uncounted" and message["attempt"] < 12:
                say(type="retry", delivery=message["delivery"], afterMs=5, counted=False, code="away", message="away")
            else:
                say(type="ack", upTo=message["delivery"])
        elif kind == "ping":
            say(type="pong", n=message["n"])
        elif kind == "drain" and fault == "drain-flood":
            while True:
                out.write(b"{\n" * 16384)
        elif kind == "drain":
            say(type="drained")
            return


main()
