#!/usr/bin/env python3
"""A plugin with one fault, which its configuration names: what the conformance kit must find.

Without a fault it counts messages and answers `!count`, with a key for each answer.
"""
import json
import sys
import time

held = []
hoard = []
fault = None
count = 0
commands = 0


def say(**message):
    print(json.dumps(message), flush=True)


def command(message, **more):
    global commands
    commands += 1
    say(type="command", id=str(commands), command={"userId": f"{name}/bot", **message}, **more)


def answer(message):
    """Says the count in the channel of an event."""
    event, delivery = message["event"], message["delivery"]
    key = {} if fault == "doubles" else {"key": event["eventId"], "cause": delivery}
    command({"type": "REGISTER_USER", "name": "Bot"}, **({"cause": delivery} if key else {}))
    command({"type": "JOIN_CHANNEL", "channelId": event["channelId"]}, **({"cause": delivery} if key else {}))
    command({"type": "SEND_MESSAGE", "channelId": event["channelId"], "message": f"counted {event['eventId']}"}, **key)


def release():
    for delivery in reversed(held):
        say(type="ack", delivery=delivery)
    held.clear()


def settle(message):
    global count
    delivery = message["delivery"]
    count += 1
    if fault == "leak":
        hoard.append(b"x" * 24_000)
    if fault == "stray":
        print("counting", flush=True)
    if fault == "blocks" and count > 3:
        time.sleep(600)
    if fault == "future":
        say(type="ack", delivery=delivery + 1000)
    if fault == "order":
        # Two at a time, the later one first.
        held.append(delivery)
        return release() if len(held) == 2 else None
    say(type="ack", delivery=delivery)
    if fault == "twice":
        say(type="ack", delivery=delivery)


for line in sys.stdin:
    message = json.loads(line)
    kind = message["type"]
    if kind == "hello":
        name, fault = message["plugin"], message["config"].get("fault")
        say(type="ready", protocol=1, name="faulty", version="1", reload=True, pipelined=fault == "order")
    elif kind == "event":
        if message["event"].get("message") == "!count":
            answer(message)
        settle(message)
    elif kind == "ping" and fault != "pong":
        release()
        say(type="pong", n=message["n"])
    elif kind == "config":
        say(type="configured", id=7 if fault == "config" else message["id"], ok=True)
    elif kind == "drain" and fault != "drain":
        say(type="drained")
        break
