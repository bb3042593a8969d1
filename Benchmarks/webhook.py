"""The figures of crowbar-webhook, against one local nginx that answers 204 to everything."""
import http.client
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import time

import run as bench

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
EVENTS = 200_000
CHANNELS = 256
CONNECTIONS = 64
ENDPOINTS = 1_000
RATE = 10
SECONDS = 10
LIVE_RATE = 200


class Nginx:
    """nginx in a folder of its own, as one process that works."""

    def __init__(self, folder):
        self.folder, self.port = pathlib.Path(folder), bench.free_port()
        self.folder.mkdir()
        temporary = "".join(
            f"{kind}_temp_path {self.folder}/{kind};\n" for kind in
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        (self.folder / "nginx.conf").write_text(
            ("user root;\n" if os.geteuid() == 0 else "") +
            f"daemon off;\nworker_processes 1;\nworker_rlimit_nofile 16384;\npid {self.folder}/pid;\n"
            f"error_log {self.folder}/error.log;\nevents {{ worker_connections 8192; }}\n"
            f"http {{\n{temporary}access_log off;\nlog_format lag '$msec $uri $http_webhook_id';\n"
            "keepalive_requests 1000000000;\nkeepalive_timeout 600;\nclient_max_body_size 2m;\n"
            f"server {{\nlisten 127.0.0.1:{self.port} backlog=4096;\nlocation = /status {{ stub_status; }}\n"
            f"location /logged/ {{ access_log {self.folder}/access.log lag buffer=64k flush=200ms; return 204; }}\n"
            "location / { return 204; }\n}\n}\n")
        self.process = subprocess.Popen(
            ["nginx", "-p", self.folder, "-c", self.folder / "nginx.conf"], env={**os.environ, "PATH":
            os.environ["PATH"] + ":/usr/sbin"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 10
        self.asked = 0
        while True:
            try:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
                self.requests()
                return
            except OSError:
                if time.monotonic() > until:
                    raise SystemExit(f"nginx did not start; see {self.folder}/error.log") from None
                time.sleep(0.02)

    def requests(self):
        """The requests that it answered so far, these questions aside."""
        self.connection.request("GET", "/status")
        text = self.connection.getresponse().read().decode()
        self.asked += 1
        return int(re.search(r"\n \d+ \d+ (\d+)", text)[1]) - self.asked

    def url(self, path=""):
        return f"http://127.0.0.1:{self.port}/{path}"

    def arrivals(self):
        """When each event first came to each path, in seconds, by (path, event)."""
        came = {}
        for line in (self.folder / "access.log").read_text().splitlines():
            at, path, event = line.split()
            came.setdefault((path, event), float(at))
        return came

    def stop(self):
        self.connection.close()
        self.process.terminate()
        self.process.wait(10)


def manifest(server, endpoints, start="now"):
    """Writes the plugin's manifest: endpoints as (name, url)."""
    text = f'command = ["crowbar-webhook"]\ntypes = ["MESSAGE_SENT"]\nstart = "{start}"\n[sandbox]\nnetwork = true\n'
    for name, url in endpoints:
        text += (f'[[config.endpoints]]\nname = "{name}"\nurl = "{url}"\nsecret = "{SECRET}"\nallow_private = true\n'
                 f"concurrency = {CONNECTIONS}\n")
    aside = server.folder / "aside.toml"
    aside.write_text(text)
    aside.rename(server.folder / "plugins.d" / "webhook.toml")


def plugin(server):
    return next(p for p in json.loads(server.crowbar("plugins", "list", "--json")) if p["name"] == "webhook")


def wait_live(server):
    until = time.monotonic() + 60
    while not any(p["state"] == "live" for p in json.loads(server.crowbar("plugins", "list", "--json"))):
        if time.monotonic() > until:
            raise SystemExit(f"the plugin is not live; see {server.folder}/serve.log")
        time.sleep(0.1)
    return plugin(server)["pid"]


def message(channel, **more):
    return json.dumps({"type": "SEND_MESSAGE", "channelId": channel,
                       "message": "the quick brown fox jumps over the lazy dog", **more})


def fill(server, lines):
    """Posts many commands."""
    for i in range(0, len(lines), 20_000):
        answers = server.post("\n".join(lines[i:i + 20_000]), "application/x-ndjson")
        if b'"error"' in answers:
            raise SystemExit(next(line for line in answers.decode().splitlines() if '"error"' in line))


def speed(server, nginx, binaries):
    """Deliveries a second of a whole log, and of the bare loop with the same bodies, one after the other."""
    bodies = server.folder / "bodies"
    kept = [line for line in server.crowbar("events", "export").splitlines() if '"MESSAGE_SENT"' in line]
    bodies.write_text("\n".join(kept) + "\n")
    crowbar, bare = [], []
    for i in range(bench.RUNS):
        before = nginx.requests()
        manifest(server, [(f"run{i}", nginx.url())], start="beginning")
        until, begin = time.monotonic() + 300, None
        while (count := nginx.requests() - before) < len(kept):
            if count and begin is None:
                begin, first = time.monotonic(), count
            if time.monotonic() > until:
                raise SystemExit(f"{count} of {len(kept)} events came; see {server.folder}/serve.log")
            time.sleep(0.02)
        crowbar.append((len(kept) - (first or 0)) / max(time.monotonic() - begin, 1e-9))
        (server.folder / "plugins.d" / "webhook.toml").unlink()
        until = time.monotonic() + 30
        while plugin(server)["state"] != "stopped" and time.monotonic() < until:
            time.sleep(0.05)
        with open(bodies) as lines:
            seconds = subprocess.run(
                [binaries / "crowbar-bench-post", nginx.url(), str(CONNECTIONS)], stdin=lines, capture_output=True,
                text=True, check=True).stdout
        bare.append(len(kept) / float(seconds))
    bench.row("signed deliveries, in order a channel", statistics.median(crowbar), "/s", statistics.median(bare),
              "a bare libcurl loop")


def lags(server, nginx, rate, label, paths):
    """Sends messages at a rate and says how long after its command each came to each endpoint, in milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    sent = {}
    begin = time.monotonic()
    for i in range(rate * SECONDS):
        time.sleep(max(0, begin + i / rate - time.monotonic()))
        name = f"{label}-{i}"
        sent[name] = time.time()
        connection.request("POST", "/api/commands", message(f"c{i % CHANNELS}", eventId=name),
                           {"Authorization": f"Bearer {server.token}"})
        connection.getresponse().read()
    wanted = [(path, name) for path in paths for name in sent]
    until = time.monotonic() + 60
    while True:
        came = nginx.arrivals()
        missing = sum(key not in came for key in wanted)
        if not missing:
            break
        if time.monotonic() > until:
            raise SystemExit(f"{missing} of {len(wanted)} deliveries did not come; see {server.folder}/serve.log")
        time.sleep(0.5)
    return sorted((came[key] - sent[key[1]]) * 1000 for key in wanted)


def told(name, waits):
    print(f"{name:44} {statistics.median(waits):9.1f} ms p50 {waits[len(waits) * 99 // 100]:9.1f} ms p99 "
          f"{waits[-1]:9.1f} ms at most, of {len(waits):,}", flush=True)


def many(server, nginx):
    """A thousand endpoints that all get the same, and what the process takes."""
    for count in [1, ENDPOINTS]:
        manifest(server, [(f"n{i}", nginx.url(f"logged/{count}/{i}")) for i in range(count)])
        wait_live(server)
        until = time.monotonic() + 60
        while sum("droppedAt" not in queue for queue in plugin(server)["queues"]) != count:
            if time.monotonic() > until:
                raise SystemExit("the plugin did not take its endpoints")
            time.sleep(0.1)
        pid = plugin(server)["pid"]
        waits = lags(server, nginx, RATE, f"many{count}", [f"/logged/{count}/{i}" for i in range(count)])
        told(f"{count:,} endpoint{'s' if count > 1 else ''}, {RATE} events/s each, command to answer", waits)
        bench.row(f"the plugin with {count:,}, resident", bench.resident(pid), "MB", what=
                  f"at most {bench.resident(pid, 'VmHWM'):,.0f}, {len(os.listdir(f'/proc/{pid}/task'))} threads")


def beside(server, nginx):
    """An endpoint alone, beside one that takes connections and never answers, and beside one where nobody listens."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(4096)
        dead = {"alone": [], "beside one that hangs": [f"http://127.0.0.1:{silent.getsockname()[1]}/"],
                "beside one that is closed": [f"http://127.0.0.1:{bench.free_port()}/"]}
        for i, (label, others) in enumerate(dead.items()):
            manifest(server, [(f"live{i}", nginx.url(f"logged/live{i}"))]
                     + [(f"dead{i}", url) for url in others])
            wait_live(server)
            until = time.monotonic() + 60
            while not any(queue["name"] == f"live{i}" for queue in plugin(server)["queues"]):
                if time.monotonic() > until:
                    raise SystemExit("the plugin did not take its endpoints")
                time.sleep(0.1)
            told(f"an endpoint {label}, {LIVE_RATE}/s",
                 lags(server, nginx, LIVE_RATE, f"beside{i}", [f"/logged/live{i}"]))


def measure(binaries, folder):
    nginx = Nginx(pathlib.Path(folder) / "nginx")
    try:
        server = bench.Server(binaries, folder)
        server.start()
        try:
            server.prepare()
            # Order is kept in each channel, one delivery after the other; so there are many.
            fill(server, [json.dumps({"type": "CREATE_CHANNEL", "channelId": f"c{i}"}) for i in range(CHANNELS)])
            many(server, nginx)
            beside(server, nginx)
            (server.folder / "plugins.d" / "webhook.toml").unlink()
            fill(server, [message(f"c{i % CHANNELS}") for i in range(EVENTS)])
            speed(server, nginx, binaries)
        finally:
            server.stop()
    finally:
        nginx.stop()
