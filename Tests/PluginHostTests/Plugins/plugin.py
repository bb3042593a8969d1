#!/usr/bin/env python3
"""A plugin for the host's tests, from the protocol's page alone. What it does to each event is said by its `config`:

mode: ack (default), retry-once, retry-always, reject, hang-once, crash-at N, echo (a command for each message), fatal,
deaf (ignores drain and SIGTERM), noisy, leaky (tells its secrets in every way), daemon, early (a command before start),
later (exit status 75), poison (dies of an event each time), away (a channel's first event is tried again after `wait`
ms), swap (changes its queues), flood (emits more than is read from it at once, and dies), oversized (acks with a state
that is too large, and again without it once it is told), keyed (a command for each message, all under one key),
sloppy (exit status 3 after a drain), unsure (exit status 78 after all), orphans (a daemon that runs `orphan`; it notes
its launcher's process id too).
With `tries` it tells of deliveries of these events.
It notes what it gets in dataDir/seen, one JSON line each.
"""
import json
import os
import signal
import subprocess
import sys
import time


def say(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class Plugin:
    def __init__(self):
        self.mode = "ack"
        self.config = {}
        self.folder = "."
        self.failed = set()
        self.commands = 0

    def note(self, **what):
        with open(os.path.join(self.folder, "seen"), "a") as file:
            file.write(json.dumps(what) + "\n")

    def hello(self, message):
        self.config = message["config"]
        self.mode = self.config.get("mode", "ack")
        self.folder = message["dataDir"]
        self.plugin = message["plugin"]
        if self.mode == "fatal":
            say(type="fatal", code="no_luck", path="networks[0]", message=self.config.get("secret", "unlucky"), retry=False)
            sys.exit(78)
        if self.mode == "later":
            sys.exit(75)
        if self.mode == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self.mode == "daemon":
            child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
            self.note(daemon=child.pid)
        if self.mode == "orphans":
            code = "import sys, time; " + self.config["orphan"] + "; time.sleep(1000)"
            child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
            self.note(daemon=child.pid, launcher=os.getppid())
        if self.mode == "silent":
            return
        if self.mode == "early":
            self.command(None)
        if self.mode == "noisy":
            print("hello from a library")
            print("\u2028 is no line break here")
            print("secret is " + self.config.get("secret", ""), file=sys.stderr)
            sys.stdout.write("{no json\n")
            sys.stdout.write("{" + "x" * (2 << 20) + "\n")
        ready = dict(type="ready", protocol=self.config.get("protocol", 1), name="test", version="1.2.3")
        if "tries" in self.config:
            ready["asks"] = ["deliveries"]
        for key in ("queues", "pipelined"):
            if key in self.config:
                ready[key] = self.config[key]
        say(**ready)
        if self.mode == "noisy":
            secret = self.config.get("secret", "")
            say(type="status", level="degraded", message="I know " + secret, details={"secret": secret, "n": 1})

    def leak(self):
        config = self.config
        self.note(token=config["token"])
        say(type="status", level="ok", message=config["word"], details={config["word"]: config["word"], "n": 1})
        say(type="log", level="info", message="connecting", fields={"config": config})
        say(type="log", level="info", message="x" * 8180 + config["plain"])
        say(type="status", level="ok", message="y" * 1020 + config["plain"], details={"word": config["word"]})
        for text in (config["pem"], json.dumps(config), config["token"]):
            print(text, file=sys.stderr, flush=True)

    def command(self, cause, text="echo", **more):
        self.commands += 1
        user = self.config.get("user", self.plugin + "/bot")
        command = {"type": "SEND_MESSAGE", "userId": user, "channelId": "general", "message": text}
        message = dict(type="command", id=self.commands, command=command, ref="test", **more)
        if cause is not None:
            message["cause"] = cause
        say(**message)

    def event(self, message, raw):
        event = message["event"]
        self.note(
            queue=message["queue"], position=message["position"], attempt=message["attempt"], mode=message["mode"],
            delivery=message["delivery"], message=event.get("message"), channel=event.get("channelId"),
            type=event["type"], pid=os.getpid(), raw=raw if self.config.get("raw") else None)
        number, position = message["delivery"], message["position"]
        text = event.get("message", "")
        if self.mode == "retry-once" and "again" in text and message["attempt"] == 1:
            say(type="retry", delivery=number, afterMs=50, code="later", message="not yet")
        elif self.mode == "retry-always" and "again" in text:
            say(type="retry", delivery=number, afterMs=10, code="never", message="no luck with this")
        elif self.mode == "reject" and "bad" in text:
            say(type="reject", delivery=number, code="bad", message="bad text", deadLetter=True)
        elif self.mode == "leaky" and text == "retry" and message["attempt"] == 1:
            say(type="retry", delivery=number, afterMs=10, code=self.config["plain"], message=self.config["pem"])
        elif self.mode == "leaky":
            say(type="reject", delivery=number, code=self.config["plain"], message=self.config["pem"], deadLetter=True)
        elif self.mode == "hang-once" and "hang" in text and message["attempt"] == 1:
            return
        elif self.mode == "crash" and "crash" in text and message["attempt"] == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.mode == "hold":
            return
        elif self.mode == "poison" and "poison" in text:
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.mode == "away" and "away" in text:
            say(type="retry", delivery=number, afterMs=self.config["wait"], code="away", message="nobody is there")
        elif self.mode == "fixed" and message["mode"] != "redrive" and "bad" in text:
            say(type="reject", delivery=number, code="bad", message="bad text", deadLetter=True)
        elif self.mode == "swap" and text.startswith("swap "):
            say(type="ack", delivery=number)
            say(type="queues", queues=json.loads(text[5:]))
        elif self.mode == "echo" and event["type"] == "MESSAGE_SENT":
            self.command(number, "echo of " + text)
            say(type="ack", delivery=number)
        elif self.mode == "oversized":
            say(type="ack", delivery=number, state="x" * 70_000)
        elif self.mode == "keyed" and event["type"] == "MESSAGE_SENT":
            self.command(number, "echo of " + text, key="the key")
            say(type="ack", delivery=number)
        elif self.mode == "echo-crash" and event["type"] == "MESSAGE_SENT":
            self.command(number, "echo of " + text)
            if message["attempt"] == 1:
                time.sleep(0.3)
                os.kill(os.getpid(), signal.SIGKILL)
            say(type="ack", delivery=number)
        else:
            say(type="ack", delivery=number, **({"state": {"last": position}} if self.config.get("state") else {}))

    def run(self):
        for line in sys.stdin:
            message = json.loads(line)
            kind = message["type"]
            if kind == "hello":
                self.hello(message)
            elif kind == "event":
                self.event(message, line)
            elif kind == "ping":
                say(type="pong", n=message["n"])
            elif kind == "ask":
                tries = [dict(eventId=id, delivered=False, answer="it said secret") for id in self.config["tries"]]
                say(type="answer", id=message["id"], ok=True, answer=tries)
            elif kind in ("start", "result", "caughtUp", "voided", "error"):
                self.note(**message)
                if kind == "error" and self.mode == "oversized":
                    say(type="ack", delivery=message["delivery"])
                if kind == "start" and self.mode == "leaky":
                    self.leak()
                if kind == "start" and "window" in self.config:
                    say(type="window", queue="main", events=self.config["window"])
                if kind == "start" and self.mode == "flood":
                    for _ in range(1100):
                        self.command(None)
                    os._exit(1)
            elif kind == "drain" and self.mode == "sloppy":
                sys.exit(3)
            elif kind == "drain" and self.mode != "deaf":
                say(type="drained")
                return
        if self.mode == "unsure":
            sys.exit(78)
        if self.mode == "deaf":
            while True:
                time.sleep(60)


sys.stdin.reconfigure(newline="\n")
Plugin().run()
