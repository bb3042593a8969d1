"""The real server in a folder of its own, and waiting for conditions."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[4]
# Seconds that anything may take on a loaded machine.
PATIENCE = float(os.environ.get("CROWBAR_PATIENCE", "60"))


def free_port():
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what, seconds=PATIENCE, detail=lambda: ""):
    """Waits until a condition holds; gives its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} s. {detail()}")


class Server:
    """The real server."""

    def __init__(self, binary, more="", files=None):
        self.binary = os.path.abspath(binary)
        self.folder = tempfile.mkdtemp(prefix="crowbar-page-")
        self.port = int(sys.argv[2]) if len(sys.argv) > 2 else free_port()
        os.mkdir(f"{self.folder}/plugins.d")
        pathlib.Path(f"{self.folder}/crowbar.toml").write_text(
            f'data = "d"\nplugins = "plugins.d"\n[http]\nlisten = "127.0.0.1:{self.port}"\n{more}')
        for name, text in (files or {}).items():
            pathlib.Path(f"{self.folder}/{name}").write_text(text)
            os.chmod(f"{self.folder}/{name}", 0o600)
        self.process = None
        self.tokens = {}
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        """Starts it and waits until it answers."""
        with open(f"{self.folder}/serve.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve"], cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until(self.is_ready, "the server is ready", detail=self.log)

    def is_ready(self):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"{self.url}/readyz", timeout=5).status == 200
        return False

    def log(self):
        return pathlib.Path(f"{self.folder}/serve.log").read_text(errors="replace")[-3000:]

    def kill(self):
        """Ends it as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends it as systemd does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def unread(self, user, channel):
        return self.call(user, "/views/unread.json")[1][channel]["unread"]

    def run(self, *arguments):
        """Runs a verb of the command line."""
        done = subprocess.run(
            [self.binary, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout.strip()

    def user(self, *names, admin=False):
        """Adds users with a token each."""
        for name in names:
            self.run("user", "add", name, *(["--admin"] if admin else []))
            self.tokens[name] = self.run("token", name)

    def admin(self, *names):
        self.user(*names, admin=True)

    def password(self, user, text="correct horse battery"):
        """Gives a user a password, by a reset link."""
        token = self.run("user", "reset", user).split("/#/reset/")[1].split()[0]
        request = urllib.request.Request(
            f"{self.url}/api/reset", data=json.dumps({"token": token, "password": text}).encode(),
            headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            # A session: its rights are a person's, where those of a machine token are a program's.
            self.tokens[user] = json.loads(answer.read())["token"]
        return text

    def call(self, user, path, body=None, method=None):
        """Makes a call as a user; gives status and JSON."""
        request = urllib.request.Request(
            self.url + path, data=None if body is None else json.dumps(body).encode(), method=method,
            headers={"Authorization": f"Bearer {self.tokens[user]}"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def post(self, path, body):
        """Makes a call without a token; gives status and JSON."""
        request = urllib.request.Request(
            self.url + path, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def plugin(self, user, name):
        """What the server says about a plugin; an empty object while there is none."""
        status, answer = self.call(user, f"/api/admin/plugins/{name}")
        return answer if status == 200 else {}

    def command(self, user, type, channel=None, **fields):
        """Sends a command that must be stored."""
        body = {"type": type, **fields, **({"channelId": channel} if channel else {})}
        status, answer = self.call(user, "/api/commands", body)
        assert status == 200, f"{body}: {answer}"
        return answer

    def operate(self, type, **fields):
        """Sends a command by the command line's socket, whose names are as free as those that plugins bring."""
        key = pathlib.Path(f"{self.folder}/d/admin.key").read_text().strip()
        connection = http.client.HTTPConnection("localhost", timeout=PATIENCE)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(f"{self.folder}/d/crowbar.sock")
        connection.request(
            "POST", "/api/commands", json.dumps({"type": type, **fields}), {"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == 200, f"{fields}: {text}"

    def many(self, user, commands):
        """Sends many commands in one body."""
        request = urllib.request.Request(
            f"{self.url}/api/commands", data="\n".join(json.dumps(one) for one in commands).encode(),
            headers={"Authorization": f"Bearer {self.tokens[user]}", "Content-Type": "application/x-ndjson"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            lines = [json.loads(line) for line in answer.read().splitlines()]
        assert all("eventId" in line for line in lines), lines[:3]

    def channel(self, owner, id, *members, **fields):
        """Creates a public channel with members."""
        self.command(owner, "CREATE_CHANNEL", id, **fields)
        for member in members:
            self.command(member, "JOIN_CHANNEL", id)

    def messages(self, user, channel, after):
        """The texts of a channel, once it has an event."""
        status, answer = self.call(user, f"/views/messages/{channel}.json?limit=500&wait=10s&min={after}")
        assert status == 200, answer
        return [message["text"] for message in answer["messages"]]

    def manifest(self, name, text):
        """Writes a plugin's manifest."""
        pathlib.Path(f"{self.folder}/plugins.d/{name}.toml").write_text(text)

    def remove_plugins(self):
        """Takes all manifests away: the server ends their processes."""
        for path in pathlib.Path(f"{self.folder}/plugins.d").glob("*.toml"):
            path.unlink()
