#!/usr/bin/env python3
"""What script/bench runs: the figures that Crowbar promises, each beside a limit measured in the same run.

    run.py BIN            BIN: the folder of the release build

Every figure is the median of three runs. Nothing here passes or fails: machines differ, and a person reads it.
"""
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import irc as bridge

RUNS = 3
SECONDS = 8
EVENTS = 1_000_000
IDLE_SECONDS = 5
IDLE_PLUGINS = 200
LATENCY_SECONDS = 10


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """`crowbar serve` in a folder of its own."""

    def __init__(self, binaries, folder):
        self.binaries, self.folder = binaries, pathlib.Path(folder)
        self.port = free_port()
        (self.folder / "plugins.d").mkdir(parents=True, exist_ok=True)
        (self.folder / "crowbar.toml").write_text(f'[http]\nlisten = "127.0.0.1:{self.port}"\n')

    def start(self):
        self.log = open(self.folder / "serve.log", "ab")
        self.process = subprocess.Popen(
            [self.binaries / "crowbar", "serve"], cwd=self.folder, stdout=self.log, stderr=self.log)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=1).read()
                return
            except OSError:
                time.sleep(0.02)
        raise SystemExit(f"crowbar serve did not start; see {self.folder}/serve.log")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def crowbar(self, *arguments):
        result = subprocess.run(
            [self.binaries / "crowbar", *arguments], cwd=self.folder, capture_output=True, text=True, check=True)
        return result.stdout.strip()

    def prepare(self):
        self.crowbar("channel", "add", "general")
        self.crowbar("user", "add", "ann")
        self.token = self.crowbar("token", "ann")
        self.post('{"type":"JOIN_CHANNEL","channelId":"general"}')

    def post(self, body, kind="application/json"):
        request = urllib.request.Request(
            f"{self.url}/api/commands", body.encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": kind})
        return urllib.request.urlopen(request, timeout=120).read()


def resident(pid, what="VmRSS"):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def row(name, figure, unit, limit=None, what=""):
    beside = f"{figure / limit:6.2f} of {what} ({limit:,.0f})" if limit else what
    print(f"{name:44} {figure:12,.0f} {unit:9} {beside}", flush=True)


def requests_per_second(*arguments):
    wrk = subprocess.run(
        ["wrk", "-t1", "-c64", f"-d{SECONDS}s", *arguments], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in wrk:
        raise SystemExit(wrk)
    return float(next(line for line in wrk.splitlines() if line.startswith("Requests/sec")).split()[1])


def wrk_script(server):
    """Writes the script with which wrk sends commands and gives its path."""
    script = server.folder / "post.lua"
    script.write_text(
        'wrk.method = "POST"\n'
        f'wrk.headers["Authorization"] = "Bearer {server.token}"\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
        "wrk.body = '{\"type\":\"SEND_MESSAGE\",\"channelId\":\"general\","
        "\"message\":\"the quick brown fox jumps over the lazy dog\"}'\n")
    return script


def saturate(server):
    """The commands a second that a server takes at most."""
    return requests_per_second("-s", str(wrk_script(server)), f"{server.url}/api/commands")


def lines_per_second(server, count):
    """The commands a second that a server takes as NDJSON by one connection."""
    line = json.dumps({"type": "SEND_MESSAGE", "channelId": "general",
                       "message": "the quick brown fox jumps over the lazy dog"})
    batch = "\n".join([line] * 20_000)
    start = time.monotonic()
    for _ in range(count // 20_000):
        server.post(batch, "application/x-ndjson")
    return count / (time.monotonic() - start)


def ingest(binaries, folder):
    server = Server(binaries, folder)
    server.start()
    try:
        server.prepare()
        commands, http, lines, rows = [], [], [], []
        for run in range(RUNS):
            commands.append(saturate(server))
            http.append(requests_per_second(f"{server.url}/healthz"))
            lines.append(lines_per_second(server, 100_000))
            database = server.folder / f"limit{run}.db"
            output = subprocess.run(
                [binaries / "crowbar-bench-pipe", "append", database, "100000"], capture_output=True, text=True,
                check=True)
            rows.append(100_000 / float(output.stdout))
        row("durable commands over HTTP, 64 connections", statistics.median(commands), "/s",
            statistics.median(http), "GET /healthz")
        row("", statistics.median(commands), "/s", statistics.median(rows), "rows in C, 64 a sync")
        row("durable commands as NDJSON, one connection", statistics.median(lines), "/s", statistics.median(rows),
            "rows in C, 64 a sync")
    finally:
        server.stop()


def commands(binaries, folder):
    # It uses what is above, under the name of this file.
    from commands import measure
    measure(binaries, folder)


def delivery(binaries, folder):
    server = Server(binaries, folder)
    server.start()
    server.prepare()
    lines_per_second(server, EVENTS)
    server.stop()
    pipe = binaries / "crowbar-bench-pipe"
    database = server.folder / "data" / "log.db"
    host, limit = [], []
    for run in range(RUNS):
        name = f"sink{run}"
        (server.folder / "plugins.d" / f"{name}.toml").write_text(f'command = ["{pipe}", "sink"]\nwindow = 65536\n')
        server.start()
        report = server.folder / "data" / "plugins" / name / "caught-up"
        until = time.monotonic() + 120
        while not (report.exists() and report.read_text().endswith("\n")):
            if time.monotonic() > until:
                raise SystemExit(f"the sink did not catch up; see {server.folder}/serve.log")
            time.sleep(0.05)
        count, seconds = report.read_text().split()
        host.append(int(count) / float(seconds))
        if int(count) < EVENTS:
            raise SystemExit(f"the sink got {count} of {EVENTS} events")
        server.stop()
        (server.folder / "plugins.d" / f"{name}.toml").unlink()
        begin = time.monotonic()
        source = subprocess.Popen([pipe, "source", database], stdout=subprocess.PIPE)
        counted = subprocess.run([pipe, "count"], stdin=source.stdout, capture_output=True, text=True, check=True)
        source.wait()
        limit.append(int(counted.stdout) / (time.monotonic() - begin))
    row("log to one native pipelined plugin", statistics.median(host), "events/s", statistics.median(limit),
        "a C program, same rows, same pipe")
    many = []
    for run in range(RUNS):
        names = [f"eight{run}of{i}" for i in range(8)]
        many.append(sum(sinks(server, pipe, names)))
    row("log to eight of them", statistics.median(many), "events/s", statistics.median(limit), "the same")
    row("the host meanwhile, resident", server.peak, "MB")


def sinks(server, pipe, names):
    """Gives the whole log to native plugins side by side; what each got a second, by the time of the slowest."""
    for name in names:
        (server.folder / "plugins.d" / f"{name}.toml").write_text(
            f'command = ["{pipe}", "sink"]\nwindow = 65536\nstart = "beginning"\n')
    server.start()
    reports = [server.folder / "data" / "plugins" / name / "caught-up" for name in names]
    until = time.monotonic() + 120
    while not all(report.exists() and report.read_text().endswith("\n") for report in reports):
        if time.monotonic() > until:
            raise SystemExit(f"the sinks did not catch up; see {server.folder}/serve.log")
        time.sleep(0.05)
    server.peak = resident(server.process.pid, "VmHWM")
    server.stop()
    for name in names:
        (server.folder / "plugins.d" / f"{name}.toml").unlink()
    counts = [report.read_text().split() for report in reports]
    slowest = max(float(seconds) for _, seconds in counts)
    return [int(count) / slowest for count, _ in counts]


STAMPER = '''#!/usr/bin/env python3
import json, sys, time
out = open("stamps", "w")
for line in sys.stdin:
    now = time.time_ns()
    message = json.loads(line)
    if message["type"] == "hello":
        print('{"type":"ready","protocol":1,"name":"stamper","version":"1"}', flush=True)
    elif message["type"] == "ping":
        print(json.dumps({"type": "pong", "n": message["n"]}), flush=True)
    elif message["type"] == "event":
        out.write(f"{message['event'].get('message')} {now}\\n")
        out.flush()
        print(json.dumps({"type": "ack", "delivery": message["delivery"]}), flush=True)
    elif message["type"] == "drain":
        break
'''


def latency(binaries, folder):
    server = Server(binaries, folder)
    script = server.folder / "stamper.py"
    script.write_text(STAMPER)
    script.chmod(0o755)
    (server.folder / "plugins.d" / "stamper.toml").write_text(f'command = ["{script}"]\norder = "none"\n')
    server.start()
    try:
        server.prepare()
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        sent = {}
        begin = time.monotonic()
        for i in range(500 * LATENCY_SECONDS):
            time.sleep(max(0, begin + i / 500 - time.monotonic()))
            body = json.dumps({"type": "SEND_MESSAGE", "channelId": "general", "message": f"m{i}"})
            sent[f"m{i}"] = time.time_ns()
            connection.request("POST", "/api/commands", body, {"Authorization": f"Bearer {server.token}"})
            connection.getresponse().read()
        stamps = server.folder / "data" / "plugins" / "stamper" / "stamps"
        until = time.monotonic() + 30
        while stamps.read_text().count("\nm") < len(sent) - 1 and time.monotonic() < until:
            time.sleep(0.05)
        waits = []
        for line in stamps.read_text().splitlines():
            name, at = line.split()
            if name in sent:
                waits.append((int(at) - sent[name]) / 1e6)
        waits.sort()
        print(f"{'HTTP command to plugin, 500/s':44} {statistics.median(waits):9.2f} ms p50 "
              f"{waits[len(waits) * 99 // 100]:9.2f} ms p99 of {len(waits)}", flush=True)
    finally:
        server.stop()


def idle(binaries, folder):
    server = Server(binaries, folder)
    pipe = binaries / "crowbar-bench-pipe"
    for i in range(IDLE_PLUGINS):
        (server.folder / "plugins.d" / f"p{i}.toml").write_text(f'command = ["{pipe}", "sink"]\n')
    server.start()
    try:
        until = time.monotonic() + 60
        while sum(p["state"] == "live" for p in json.loads(server.crowbar("plugins", "--json"))) < IDLE_PLUGINS:
            if time.monotonic() > until:
                raise SystemExit("not all plugins are live")
            time.sleep(0.2)
        time.sleep(2)
        before = ticks(server.process.pid)
        time.sleep(IDLE_SECONDS * 2)
        used = ticks(server.process.pid) - before
        row(f"the host with {IDLE_PLUGINS} idle plugins, resident", resident(server.process.pid), "MB")
        print(f"{'':44} {used * 1000 / os.sysconf('SC_CLK_TCK') / IDLE_SECONDS / 2:12.1f} ms of processor a second, "
              f"{len(os.listdir(f'/proc/{server.process.pid}/fd'))} descriptors, "
              f"{len(os.listdir(f'/proc/{server.process.pid}/task'))} threads", flush=True)
    finally:
        server.stop()


def ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def memory(binaries, folder):
    server = Server(binaries, folder)
    (server.folder / "plugins.d" / "irc.toml").write_text(
        'command = ["crowbar-irc"]\nown_events = true\nreplay = false\n'
        'commands = ["REGISTER_USER", "JOIN_CHANNEL", "SEND_MESSAGE"]\n'
        '[sandbox]\nnetwork = true\n'
        f'[[config.networks]]\nname = "local"\nhost = "127.0.0.1"\nport = {free_port()}\nnick = "crowbar"\n'
        '[[config.links]]\nchannel = "general"\nirc = "local/#general"\n')
    (server.folder / "plugins.d" / "webhook.toml").write_text(
        'command = ["crowbar-webhook"]\n[sandbox]\nnetwork = true\n'
        f'[[config.endpoints]]\nname = "local"\nurl = "http://127.0.0.1:{free_port()}/"\nallow_private = true\n'
        'secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="\n')
    server.start()
    try:
        time.sleep(IDLE_SECONDS)
        row("the host, idle, resident", resident(server.process.pid), "MB")
        for plugin in json.loads(server.crowbar("plugins", "list", "--json")):
            if "pid" not in plugin:
                raise SystemExit(f"{plugin['name']} is {plugin['state']}: {plugin.get('reason')}")
            row(f"{plugin['name']}, idle, resident", resident(plugin["pid"]), "MB")
    finally:
        server.stop()


def streams(binaries, folder):
    # It uses what is above, under the name of this file.
    from streams import measure
    measure(binaries, folder)


def irc(binaries, folder):
    bridge.irc(Server, row, resident, free_port, binaries, folder)


def webhook(binaries, folder):
    # It uses what is above, under the name of this file.
    from webhook import measure
    measure(binaries, folder)


def views(binaries, folder):
    from views import measure
    measure(binaries, folder)


def identity(binaries, folder):
    from identity import measure
    measure(binaries, folder)


def page(binaries, folder):
    here = pathlib.Path(__file__).resolve().parent
    python = here.parent / ".build/test-python/bin/python"
    subprocess.run([python, here / "page.py", binaries, folder], check=True)


BENCHMARKS = {
    "memory": memory, "idle": idle, "latency": latency, "ingest": ingest, "commands": commands,
    "delivery": delivery, "streams": streams, "irc": irc, "webhook": webhook, "views": views,
    "identity": identity, "page": page}


def main():
    binaries = pathlib.Path(sys.argv[1]).resolve()
    wanted = sys.argv[2:] or list(BENCHMARKS)
    for name in wanted:
        folder = tempfile.mkdtemp(prefix=f"crowbar-bench-{name}-")
        try:
            BENCHMARKS[name](binaries, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
