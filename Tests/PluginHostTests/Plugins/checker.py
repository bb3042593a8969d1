#!/usr/bin/env python3
"""A plugin of the command phase for the host's tests, from the protocol's page alone. What it says to a message is in
its text: "deny …", "hang …", "crash …", "late …" (answered when the time is over), "forge …" (changes another field),
"nonsense …" (no verdict at all), "shout …" (changed to capitals), "queue …" (asks for a queue); anything else is
allowed.
It notes what it is asked in dataDir/seen, one JSON line each.
"""
import json
import os
import signal
import sys
import time


def say(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def check(number, within, command):
    text = command.get("message", "")
    what = text.split(" ")[0]
    if what == "deny":
        say(type="verdict", id=number, allow=False, code="rude", message="mind your words")
    elif what == "hang":
        pass
    elif what == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "late":
        time.sleep(within / 1000 + 0.1)
        say(type="verdict", id=number, allow=False, code="late", message="too late")
    elif what == "forge":
        say(type="verdict", id=number, allow=True, command=dict(command, userId="somebody"))
    elif what == "nonsense":
        say(type="verdict", id=number, allow="perhaps")
    elif what == "queue":
        say(type="queues", queues=[dict(name="main")])
        say(type="verdict", id=number, allow=True)
    elif what == "shout":
        say(type="verdict", id=number, allow=True, command=dict(command, message=text.upper()))
    else:
        say(type="verdict", id=number, allow=True)


for line in sys.stdin:
    message = json.loads(line)
    kind = message["type"]
    if kind == "hello":
        config = message["config"]
        folder = message["dataDir"]
        phase = message["phase"]
        ready = dict(type="ready", protocol=1, name="checker", version="1")
        if "queues" in config:
            ready["queues"] = config["queues"]
        say(**ready)
    elif kind == "check":
        with open(os.path.join(folder, "seen"), "a") as file:
            file.write(json.dumps(dict(message, phase=phase, pid=os.getpid())) + "\n")
        check(message["id"], message["deadlineMs"], message["command"])
    elif kind == "ping":
        say(type="pong", n=message["n"])
    elif kind == "drain":
        say(type="drained")
        break
