#!/usr/bin/env python3
"""A plugin for the tests of reload, handover and control, from the protocol's page alone.

Its config: tag (noted with every event), reload (said in ready), needs (a file without which its configuration is wrong),
exit (ends with this status before ready), silent (never says ready), early (a command before start), hold (settles nothing),
slow (seconds before an ack), refuse (a new config with this is refused), mute (a new config with this is not answered),
crash (ends upon a message with this text), print (a line on standard error at the start).
It notes what it does in dataDir/seen, one JSON line each, "at" in nanoseconds of the machine's monotonic clock; nothing
before start.
"""
import json
import os
import sys
import time


def say(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class Plugin:
    def note(self, **what):
        what["pid"] = os.getpid()
        what["at"] = time.monotonic_ns()
        what["tag"] = self.config.get("tag")
        with open(os.path.join(self.folder, "seen"), "a") as file:
            file.write(json.dumps(what) + "\n")

    def hello(self, message):
        self.config = message["config"]
        self.folder = message["dataDir"]
        if "print" in self.config:
            print(self.config["print"], file=sys.stderr, flush=True)
        if "exit" in self.config:
            sys.exit(self.config["exit"])
        if "needs" in self.config and not os.path.exists(self.config["needs"]):
            say(type="fatal", code="missing", path="needs", message="it is not there", retry=False)
            sys.exit(78)
        if self.config.get("early"):
            say(type="command", id=1, command={"type": "SEND_MESSAGE", "channelId": "general", "message": "early"})
        if not self.config.get("silent"):
            say(type="ready", protocol=1, name="hot", version="2", reload=self.config.get("reload", False))

    def event(self, message):
        text = message["event"].get("message")
        self.note(
            message=text, attempt=message["attempt"], mode=message["mode"], position=message["position"],
            type=message["event"]["type"])
        if text is not None and text == self.config.get("crash"):
            os._exit(1)
        if self.config.get("hold"):
            return
        if "slow" in self.config:
            time.sleep(self.config["slow"])
        self.note(acked=text)
        say(type="ack", delivery=message["delivery"], state={"last": message["position"]})

    def configure(self, message):
        new = message["config"]
        if "mute" in new:
            return
        if "refuse" in new:
            say(type="configured", id=message["id"], ok=False, path="refuse", message="not this one")
            return
        self.config = new
        self.note(kind="config")
        say(type="configured", id=message["id"], ok=True)

    def run(self):
        for line in sys.stdin:
            message = json.loads(line)
            kind = message["type"]
            if kind == "hello":
                self.hello(message)
            elif kind == "event":
                self.event(message)
            elif kind == "ping":
                say(type="pong", n=message["n"])
            elif kind == "config":
                self.configure(message)
            elif kind == "start":
                self.note(kind="start", queues=message["queues"])
            elif kind == "drain":
                self.note(kind="end")
                say(type="drained")
                return


sys.stdin.reconfigure(newline="\n")
Plugin().run()
