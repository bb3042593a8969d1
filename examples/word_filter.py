#!/usr/bin/env python3
"""A word filter: asked about messages before they are stored, it refuses those with certain words, or hides the words.

Standard library only. As plugins.d/word-filter.toml:

    command = ["../examples/word_filter.py"]
    phase = "command"
    types = ["SEND_MESSAGE", "EDIT_MESSAGE", "SET_TOPIC"]
    on_failure = "allow"                 # what holds while it cannot be asked; or "refuse"

    [config]
    words = ["darn", "heck"]
    action = "hide"                      # with asterisks; or "refuse"
"""
import json
import re
import sys


def say(**message):
    print(json.dumps(message), flush=True)


class Mistake(Exception):
    """The path of a key and what is wrong with it."""


def read(config):
    words, action = config.get("words", []), config.get("action", "hide")
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        raise Mistake("words", "must be a list of words")
    if action not in ("hide", "refuse"):
        raise Mistake("action", 'must be "hide" or "refuse"')
    return re.compile(r"\b(" + "|".join(map(re.escape, words)) + r")\b", re.IGNORECASE), action


def judge(number, command, pattern, action):
    for field in ("message", "topic"):
        text = command.get(field, "")
        found = pattern.search(text)
        if not found:
            continue
        if action == "refuse":
            return say(type="verdict", id=number, allow=False, code="word", message=f"'{found[0]}' is not said here")
        hidden = pattern.sub(lambda match: "*" * len(match[0]), text)
        # The changed field is enough; what is left out stays.
        return say(type="verdict", id=number, allow=True, command={field: hidden})
    say(type="verdict", id=number, allow=True)


pattern = action = None
for line in sys.stdin:
    message = json.loads(line)
    kind = message["type"]
    if kind == "hello":
        try:
            pattern, action = read(message["config"])
        except Mistake as mistake:
            path, problem = mistake.args
            say(type="fatal", code="config", path=path, message=problem, retry=False)
            sys.exit(78)
        say(type="ready", protocol=1, name="word-filter", version="1", reload=True)
    elif kind == "config":
        try:
            pattern, action = read(message["config"])
            say(type="configured", id=message["id"], ok=True)
        except Mistake as mistake:
            path, problem = mistake.args
            say(type="configured", id=message["id"], ok=False, path=path, message=problem)
    elif kind == "check":
        judge(message["id"], message["command"], pattern, action)
    elif kind == "ping":
        say(type="pong", n=message["n"])
    elif kind == "drain":
        say(type="drained")
        break
