#!/usr/bin/env python3
"""Prints events a second: a bare loop with json.loads and one acknowledgement per 256 events, and the library's.

Usage: bench.py [EVENTS]. Each program reads the same events from a pipe; the best of three runs counts.
"""
import json
import pathlib
import subprocess
import sys
import threading
import time

SOURCE = str(pathlib.Path(__file__).parents[1] / "src")
BARE = """
import json, sys
held = 0
for line in sys.stdin:
    message = json.loads(line)
    kind = message["type"]
    if kind == "event":
        held += 1
        if held % 256 == 0:
            print(json.dumps({"type": "ack", "upTo": message["delivery"]}), flush=True)
    elif kind == "drain":
        print(json.dumps({"type": "drained"}), flush=True)
        break
"""
LIBRARY = """
from crowbar_plugin import {kind}
plugin = {kind}("bench")
@plugin.on("MESSAGE_SENT")
{prefix}def work(event):
    event["message"]
plugin.main()
"""


def lines(count):
    event = {"eventId": "01a22cc1-7983-76c6-98d8-d99b90d73509", "timestamp": 1796047206825, "type": "MESSAGE_SENT",
             "userId": "ann", "userName": "ann", "channelId": "general",
             "messageId": "01a22cc1-7983-76c6-98d8-d99b90d73509", "message": "hello, this is a message of a chat"}
    yield {"type": "hello", "protocol": 1, "plugin": "bench", "phase": "event", "purpose": "live", "config": {}}
    yield {"type": "start", "queues": [{"name": "main", "cursor": None, "state": None}]}
    for number in range(1, count + 1):
        yield {"type": "event", "queue": "main", "delivery": number, "position": number, "attempt": 1, "mode": "live",
               "event": event}
    yield {"type": "drain", "deadlineMs": 600_000, "why": "the end"}


def run(program, data, count):
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": SOURCE})
    started = []

    def feed():
        process.stdin.write(data)
        process.stdin.close()

    # The start of the interpreter counts; with many events it is little.
    started.append(time.perf_counter())
    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    for line in process.stdout:
        if b"drained" in line:
            break
    elapsed = time.perf_counter() - started[0]
    feeder.join()
    process.wait()
    return count / elapsed


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    data = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines(count)).encode()
    programs = {
        "bare loop": BARE, "Plugin": LIBRARY.format(kind="Plugin", prefix=""),
        "AsyncPlugin": LIBRARY.format(kind="AsyncPlugin", prefix="async ")}
    best = {}
    for _ in range(3):
        for name, program in programs.items():
            best[name] = max(best.get(name, 0), run(program, data, count))
    for name, rate in best.items():
        print(f"{name:12} {rate:10,.0f} events/s  {rate / best['bare loop']:.2f}")


if __name__ == "__main__":
    main()
