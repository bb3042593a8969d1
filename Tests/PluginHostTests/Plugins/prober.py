#!/usr/bin/env python3
"""A plugin that tries what its `config` says, notes in dataDir/seen what came of it, and then serves like any other.

read, write, run: lists of paths. connect: a port of 127.0.0.1. families: numbers of socket families. open: how many files.
hog: megabytes to fill. spawn: how many children. daemon = true: the same once more in a session of its own.
"""
import errno
import json
import os
import socket
import subprocess
import sys
import time


def outcome(action):
    try:
        action()
        return "ok"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


def write(path):
    with open(path, "a") as file:
        file.write("x")


def attempt(config):
    found = {}
    for path in config.get("read", []):
        found["read " + path] = outcome(lambda: open(path, "rb").read(1))
    for path in config.get("write", []):
        found["write " + path] = outcome(lambda: write(path))
    for path in config.get("run", []):
        found["run " + path] = outcome(lambda: subprocess.run([path], check=False))
    for family in config.get("families", []):
        found[f"socket {family}"] = outcome(lambda: socket.socket(family, socket.SOCK_DGRAM).close())
    if "connect" in config:
        found["connect"] = outcome(lambda: socket.create_connection(("127.0.0.1", config["connect"])).close())
    if "signal" in config:
        found["signal"] = outcome(lambda: os.kill(os.getppid(), 0))
    return found


def status():
    fields = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
    umask = os.umask(0)
    os.umask(umask)
    return {
        "no_new_privs": int(fields["NoNewPrivs"]), "umask": umask,
        "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
        "core": open("/proc/self/limits").read().split("Max core file size")[1].split()[:2],
    }


def note(folder, **what):
    with open(os.path.join(folder, "seen"), "a") as file:
        file.write(json.dumps(what) + "\n")


def main():
    if len(sys.argv) > 1:
        note(".", **attempt(json.loads(sys.argv[1])))
        return
    config = json.loads(sys.stdin.readline())["config"]
    if "delay" in config:
        time.sleep(config["delay"])
    note(".", status=status(), **attempt(config))
    if config.get("daemon"):
        subprocess.Popen([sys.executable, __file__, json.dumps(config)], start_new_session=True)
    files = [open("/dev/null") for _ in range(config.get("open", 0))]
    memory = bytearray(config.get("hog", 0) << 20)
    children = [subprocess.Popen(["sleep", "1000"]) for _ in range(config.get("spawn", 0))]
    note(".", done=len(files) + len(memory) + len(children))
    print(json.dumps({"type": "ready", "protocol": 1, "name": "prober", "version": "1"}), flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "event":
            print(json.dumps({"type": "ack", "delivery": message["delivery"]}), flush=True)
        elif message["type"] == "ping":
            print(json.dumps({"type": "pong", "n": message["n"]}), flush=True)
        elif message["type"] == "drain":
            print(json.dumps({"type": "drained"}), flush=True)
            return


main()
