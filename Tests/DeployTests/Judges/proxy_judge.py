"""Judges docs/how-to/run-behind-nginx.md and run-behind-caddy.md: their configurations, with the real programs.
usage: proxy_judge.py nginx|caddy PROGRAMS SECONDS PORT PORT PORT: the folder of the build's programs, how long the
event stream must stay open, and three free ports.

Crowbar sends a comment into a silent stream every 15 seconds. nginx ends a stream after 60 silent seconds. With SECONDS
under 60 the proxy's timeout is shortened to 20 seconds, so that a stream of 40 seconds needs the comments as much as one
of minutes; one with a timeout of 5 seconds must end, which shows that the proxy counts silence. From 60 seconds on the
page's configuration is used as it is."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(HERE + "/../../..")
HOST = "chat.example.org"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
DEADLINE = 60
checked = 0


def expect(condition, what):
    global checked
    checked += 1
    if not condition:
        sys.exit(f"not so: {what}")


def blocks(page):
    """The page's code blocks, without their indentation."""
    with open(f"{ROOT}/docs/how-to/{page}.md") as file:
        found = re.findall(r"(?:^ {7}.*\n|^\n)+", file.read(), re.M)
    return [re.sub(r"^ {7}", "", block, flags=re.M).strip("\n") + "\n" for block in found if block.strip()]


def replaced(text, *pairs):
    """The text with each of the replacements, which must fit exactly once or more."""
    for old, new in pairs:
        if old not in text:
            sys.exit(f"not so: the page has '{old}'")
        text = text.replace(old, new)
    return text


class Process:
    """A program, whose output is collected line by line."""

    def __init__(self, *command, **options):
        self.lines, self.changed = [], threading.Condition()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        )
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append((time.monotonic(), line.rstrip("\n")))
                self.changed.notify_all()
        with self.changed:
            self.lines.append((time.monotonic(), None))
            self.changed.notify_all()

    def line(self, pattern, seconds=DEADLINE):
        """When a line that matches came, or None: there is none in time, or the program has ended without it."""
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                for at, line in self.lines:
                    if line is not None and re.search(pattern, line):
                        return at
                left = end - time.monotonic()
                if left <= 0 or (self.lines and self.lines[-1][1] is None):
                    return None
                self.changed.wait(left)

    @property
    def has_ended(self):
        return self.process.poll() is not None

    @property
    def text(self):
        return "\n".join(line for _, line in self.lines if line is not None)

    def stop(self):
        if not self.has_ended:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()


class World:
    """A folder with a certificate and a server, and the ports of the proxy's listeners."""

    def __init__(self, folder, programs, page, ports):
        self.folder, self.ports, self.processes = folder, ports[1:], []
        self.blocks, self.server, self.crowbar = blocks(page), f"127.0.0.1:{ports[0]}", programs + "/crowbar"
        self.key, self.certificate = folder + "/key.pem", folder + "/certificate.pem"

    def begin(self):
        """Makes the certificate, and starts the server with a channel and an admin."""
        self.run(
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"),
            *("-addext", f"subjectAltName=DNS:{HOST}", "-keyout", self.key, "-out", self.certificate),
        )
        settings = replaced(self.blocks[0], ("127.0.0.1:8080", self.server))
        self.write("crowbar.toml", f'data = "data"\nplugins = "plugins.d"\n{settings}')
        os.mkdir(self.folder + "/plugins.d")
        server = self.start("crowbar", self.crowbar, "serve")
        server.line("started") or sys.exit(f"not so: the server starts: {server.text}")
        self.verb("channel", "add", "general")
        self.verb("user", "add", "ann", "--admin")
        self.token = self.verb(
            "token", "create", "ann", "--scope", "read", "--scope", "commands", "--scope", "admin"
        ).strip()

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w") as file:
            file.write(text)
        return f"{self.folder}/{name}"

    def run(self, *command):
        ended = subprocess.run(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env={"PATH": PATH, "HOME": self.folder},
        )
        if ended.returncode != 0:
            sys.exit(f"not so: {command[:3]} succeeds: {ended.stdout}{ended.stderr}")
        return ended.stdout

    def verb(self, *words):
        return self.run(self.crowbar, *words)

    def start(self, name, *command):
        process = Process(*command, cwd=self.folder, env={"PATH": PATH, "HOME": self.folder})
        self.processes.append(process)
        return process

    def curl(self, listener, path, *options, source="127.0.0.2"):
        """The arguments of a call by way of the proxy: HTTPS, from an address that is not the proxy's own."""
        port = self.ports[listener]
        self.write("authorization", f"Authorization: Bearer {self.token}\n")
        return [
            *("curl", "-sS", "--max-time", "600", "--cacert", self.certificate, "--interface", source),
            *("--resolve", f"{HOST}:{port}:127.0.0.1", "-H", "@authorization", *options),
            f"https://{HOST}:{port}{path}",
        ]

    def call(self, listener, path, *options):
        """The status, the version of HTTP and the body of an answer."""
        text = self.run(*self.curl(listener, path, "-w", "\n%{http_code} %{http_version}", *options))
        body, _, tail = text.rpartition("\n")
        return (*tail.split(), body)

    def stream(self, listener):
        """An event stream that is open."""
        stream = self.start("stream", *self.curl(listener, "/api/events/stream", "-N", "-v", "--http2"))
        stream.line("^< HTTP/2 200") or sys.exit(f"not so: the stream opens: {stream.text}")
        return stream

    def say(self, text):
        """Sends a message past the proxy."""
        self.verb("send", "general", text)
        return time.monotonic()


def nginx(world, seconds):
    """nginx with the page's server twice: as it is, and with a timeout that is too short."""
    page = replaced(
        world.blocks[1],
        ("/etc/ssl/chat.example.org.pem", world.certificate),
        ("/etc/ssl/private/chat.example.org.key", world.key),
        ("http://127.0.0.1:8080", "http://" + world.server),
    )
    changes = [
        [("proxy_buffering off;", "proxy_buffering off; proxy_read_timeout 20s;")] if seconds < 60 else [],
        [("proxy_buffering off;", "proxy_buffering off; proxy_read_timeout 5s;")],
    ]
    servers = [
        replaced(page, ("listen 443", f"listen 127.0.0.1:{port}"), *change)
        for port, change in zip(world.ports, changes)
    ]
    folders = "".join(
        f"{kind}_temp_path {world.folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = world.write(
        "nginx.conf",
        f"daemon off;\nmaster_process off;\npid {world.folder}/nginx.pid;\nerror_log stderr notice;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{folders}{''.join(servers)}}}\n",
    )
    world.run("nginx", "-t", "-q", "-p", world.folder, "-c", file)
    process = world.start("nginx", "nginx", "-p", world.folder, "-c", file)
    expect(process.line("built by|start worker|using the"), f"nginx starts: {process.text}")


def caddy(world, seconds):
    """Caddy with the page's site twice: as it is, and with a timeout that is too short. It asks for no certificate."""
    sites = []
    for port, timeout in zip(world.ports, ["20s" if seconds < 60 else None, "5s"]):
        transport = f" {{\n transport http {{\n read_timeout {timeout}\n }}\n }}" if timeout else ""
        sites.append(
            replaced(
                world.blocks[1],
                (
                    "chat.example.org {",
                    f"https://{HOST}:{port} {{\n bind 127.0.0.1\n tls {world.certificate} {world.key}",
                ),
                ("reverse_proxy 127.0.0.1:8080", f"reverse_proxy {world.server}{transport}"),
            )
        )
    head = f"{{\n admin off\n auto_https off\n storage file_system {world.folder}/caddy\n}}\n"
    file = world.write("Caddyfile", head + "".join(sites))
    world.run("caddy", "validate", "--config", file, "--adapter", "caddyfile")
    process = world.start("caddy", "caddy", "run", "--config", file, "--adapter", "caddyfile")
    expect(process.line("serving initial configuration"), f"Caddy starts: {process.text}")


def judge(world, name, seconds):
    {"nginx": nginx, "caddy": caddy}[name](world, seconds)

    status, version, body = world.call(0, "/readyz")
    expect((status, version) == ("200", "2") and "ready" in body, f"HTTP/2 to the client: {status} {version} {body}")
    status, _, body = world.call(0, "/", "-H", "Accept: text/html")
    expect(status == "200" and "<html" in body, f"the page is served: {status}")

    lines = [{"type": "JOIN_CHANNEL", "channelId": "general"}]
    lines += [{"type": "SEND_MESSAGE", "channelId": "general", "message": "x" * 12_000} for _ in range(200)]
    body = world.write("body", "\n".join(json.dumps(line) for line in lines) + "\n")
    expect(os.stat(body).st_size > 2 << 20, "the body is larger than nginx accepts by default")
    status, _, answer = world.call(
        0, "/api/commands", "-H", "Content-Type: application/x-ndjson", "--data-binary", "@body"
    )
    expect(status == "200" and '"error"' not in answer, f"a body of many commands passes: {status} {answer[:500]}")

    # Streams that begin together. One of them stays open for long while the rest is judged.
    long, short = world.stream(0), world.stream(1)
    opened = time.monotonic()
    said = world.say("the first event")
    arrived = long.line("the first event")
    expect(arrived is not None and arrived - said < 2, f"the first event arrives at once: {arrived} {said}")

    # Callers have their own addresses, and cannot invent one.
    for options in ([], ["-H", "X-Forwarded-For: 192.0.2.66"], ["-H", "Forwarded: for=192.0.2.66"]):
        status, _, answer = world.call(0, "/api/events?all=true&limit=1", *options)
        expect(status == "200", f"an admin reads all events, which is audited: {status} {answer}")
    audit = json.loads(world.verb("audit", "--json"))
    addresses = [line.get("address") for line in audit if line["userId"] == "ann"]
    expect(addresses == ["127.0.0.2"] * 3, f"the audit log has the caller's address: {audit}")

    # Silence, but for the server's comments, until the time is over.
    ended = short.process.wait(DEADLINE)
    counted = time.monotonic() - opened
    expect(ended is not None and counted < 20, f"a proxy whose timeout is below 15 seconds ends the stream: {counted}")
    time.sleep(max(0, opened + seconds - time.monotonic()))
    expect(not long.has_ended, f"the stream is open after {seconds} seconds: {long.text[-500:]}")
    comments = [line for _, line in long.lines if line and line.startswith(":")]
    expect(len(comments) >= seconds // 20, f"the server's comments arrive: {len(comments)}")
    said = world.say("the last event")
    arrived = long.line("the last event")
    expect(arrived is not None and arrived - said < 2, f"an event arrives at once after {seconds} seconds")


def main():
    name, programs, seconds, ports = sys.argv[1], os.path.abspath(sys.argv[2]), int(sys.argv[3]), sys.argv[4:7]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        world = World(folder, programs, f"run-behind-{name}", ports)
        try:
            world.begin()
            judge(world, name, seconds)
        finally:
            for process in reversed(world.processes):
                process.stop()
    print(f"judged: {checked}")


main()
