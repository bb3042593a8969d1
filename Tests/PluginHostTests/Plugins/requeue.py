#!/usr/bin/env python3
"""A plugin for tests that changes its queues twice in one breath: at its first event it drops "b" and names it again, and
holds "a" by a window that is sent before the host can have acted on either.

It notes each start's queues and each event's queue and message in dataDir/seen, one JSON line each.
"""
import json
import os
import sys


def say(*messages):
    sys.stdout.write("".join(json.dumps(message) + "\n" for message in messages))
    sys.stdout.flush()


folder, changed = "", False
for line in sys.stdin:
    message = json.loads(line)
    kind = message["type"]
    if kind == "hello":
        folder = message["dataDir"]
        say({"type": "ready", "protocol": 1, "queues": [{"name": "a"}, {"name": "b"}]})
    elif kind == "ping":
        say({"type": "pong", "n": message["n"]})
    elif kind == "start":
        with open(os.path.join(folder, "seen"), "a") as file:
            file.write(json.dumps({"start": [queue["name"] for queue in message["queues"]]}) + "\n")
    elif kind == "event":
        with open(os.path.join(folder, "seen"), "a") as file:
            file.write(json.dumps({"queue": message["queue"], "message": message["event"].get("message")}) + "\n")
        say({"type": "ack", "delivery": message["delivery"]})
        if not changed and message["queue"] == "a":
            changed = True
            say({"type": "queues", "queues": [{"name": "a", "window": 9}]},
                {"type": "queues", "queues": [{"name": "a", "window": 9}, {"name": "b"}]},
                {"type": "window", "queue": "a", "events": 0})
    elif kind == "drain":
        say({"type": "drained"})
        break
