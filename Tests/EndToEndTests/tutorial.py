"""Does what a tutorial says, as its reader would, and compares what it shows.

    tutorial.py TUTORIAL BIN PORT OTHER

TUTORIAL is a Markdown file, BIN the folder of the programs. The server listens on PORT. In place of the world's servers
that the tutorial names, servers on this machine listen on OTHER: an ngIRCd, a receiver of webhooks, or moto. In place of the
reader's clone in ../crowbar stands this repository. The word or words behind a block's language say what it is:

    sh                 commands, run to their end in one shell; each must succeed
    sh retry           the same, repeated until it succeeds and shows what the next block says
    sh background      a program that goes on; it is stopped when a command stops it, or at the end
    LANGUAGE FILE      a file
    text               what the block before shows: these lines in this order, others between them; … stands for any text
    text terminal      what a program in the background shows, within a while
    LANGUAGE           an excerpt, which is only read
"""
import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE = 60


class Failure(Exception):
    pass


def blocks(text):
    return [(match[1].split(), match[2]) for match in re.finditer(r"^```(.*)\n((?:(?!```).*\n)*)```$", text, re.M)]


def matches(expected, shown):
    lines = iter(shown.splitlines())
    for line in expected.splitlines():
        pattern = ".*".join(map(re.escape, line.rstrip().split("…")))
        if not any(re.fullmatch(pattern, other.rstrip()) for other in lines):
            return False
    return True


class Reader:
    """One who follows a tutorial in a folder of their own."""

    def __init__(self, folder, binaries, port):
        self.folder, self.port, self.running = pathlib.Path(folder), port, []
        # `pkill` ends what this reader started, not what others run on this machine.
        tools = self.folder / ".tools"
        tools.mkdir()
        (tools / "pkill").write_text('#!/bin/sh\nexec /usr/bin/pkill -s "$(cat "$0.sessions")" "$@"\n')
        (tools / "pkill").chmod(0o755)
        self.sessions = tools / "pkill.sessions"
        # Python packages that a tutorial has its reader install.
        packages = pathlib.Path(__file__).parents[2] / ".build/test-python/bin"
        self.environment = {
            **os.environ, "PATH": f"{tools}:{binaries}:{os.environ['PATH']}:/usr/sbin:{packages}", "PYTHONUNBUFFERED": "1"}
        (self.folder / "crowbar.toml").write_text(f'[http]\nlisten = "127.0.0.1:{port}"\n')

    def save(self, name, body):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)

    def run(self, body):
        result = subprocess.run(
            ["bash", "-ec", body], cwd=self.folder, env=self.environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
        return result.returncode, result.stdout

    def start(self, body):
        log = self.folder / f"background{len(self.running)}.log"
        self.running.append(subprocess.Popen(
            ["bash", "-c", f"exec {body}"], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=log.open("wb"), stderr=subprocess.STDOUT, start_new_session=True))
        self.sessions.write_text(",".join(str(process.pid) for process in self.running))
        if re.search(r"\bcrowbar serve\b", body):
            wait(lambda: f"crowbar listens on http://127.0.0.1:{self.port}" in log.read_text(), log.read_text)
        return log

    def expect(self, expected):
        """Waits until one of the programs in the background shows what is expected."""
        logs = [self.folder / f"background{number}.log" for number in range(len(self.running))]
        wait(
            lambda: any(matches(expected, log.read_text()) for log in logs),
            lambda: "\n".join(log.read_text() for log in logs))

    def stop(self):
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait(condition, shown):
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise Failure(f"not within {PATIENCE} s; shown was:\n{shown()}")
        time.sleep(0.1)


def follow(reader, tutorial):
    parts = blocks(tutorial)
    for index, (info, body) in enumerate(parts):
        following = parts[index + 1] if index + 1 < len(parts) else ([], "")
        expected = following[1] if following[0] == ["text"] else ""
        print("---", *info, body, sep="\n", flush=True)
        if info[:1] == ["sh"]:
            kind = info[1] if len(info) > 1 else ""
            if kind == "background":
                log = reader.start(body)
                wait(lambda: matches(expected, log.read_text()), log.read_text)
            elif kind == "retry":
                shown = [1, ""]

                def succeeds():
                    shown[:] = reader.run(body)
                    return shown[0] == 0 and matches(expected, shown[1])
                wait(succeeds, lambda: shown[1])
            else:
                status, output = reader.run(body)
                # What has just been changed on disk may show in a program that goes on.
                if status != 0 or not matches(expected, output):
                    raise Failure(f"exit status {status}; shown was:\n{output}")
        elif info == ["text", "terminal"]:
            reader.expect(body)
        elif len(info) == 2:
            reader.save(info[1], body)
            if expected:
                reader.expect(expected)


def irc_server(folder, port):
    """In place of irc.libera.chat."""
    configuration = pathlib.Path(folder) / ".ngircd.conf"
    configuration.write_text(
        f"[Global]\nName = irc.example.org\nListen = 127.0.0.1\nPorts = {port}\n"
        "[Limits]\nMaxNickLength = 31\n[Options]\nIdent = no\nPAM = no\nDNS = no\n")
    server = subprocess.Popen(
        ["ngircd", "-n", "-f", configuration], env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return server.kill


def chat_services(port):
    """In place of Slack and Discord: answers as they do, and nothing but what they take."""
    class Service(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            posted = json.loads(self.rfile.read(int(self.headers["content-length"])))
            is_slack = self.path.startswith("/services/")
            status, answer = (200, b"ok") if is_slack else (204, b"")
            if not isinstance(posted.get("text" if is_slack else "content"), str):
                status, answer = 400, b"invalid_payload"
            self.send_response(status)
            if answer:
                self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Service)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.shutdown


def replaced(tutorial, changes):
    for old, new in changes:
        if old not in tutorial:
            raise SystemExit(f"the tutorial does not have '{old}'")
        tutorial = tutorial.replace(old, new)
    return tutorial


def main():
    path, binaries, port, other = sys.argv[1:]
    tutorial = pathlib.Path(path).read_text()
    with tempfile.TemporaryDirectory() as folder:
        # Plugins run as other users, who must reach their files.
        os.chmod(folder, 0o755)
        reader, stop = Reader(folder, binaries, port), lambda: None
        try:
            if "irc.libera.chat" in tutorial:
                stop = irc_server(folder, other)
                tutorial = replaced(
                    tutorial, [('host = "irc.libera.chat"', f'host = "127.0.0.1"\nport = {other}\ntls = false')])
            elif "hooks.slack.com" in tutorial:
                stop = chat_services(int(other))
                local = f"http://127.0.0.1:{other}"
                tutorial = replaced(tutorial, [
                    ("'https://hooks.slack.com/services", f"'{local}/services"),
                    ("'https://discord.com/api", f"'{local}/api"),
                    ('body     = "slack"', 'body     = "slack"\nallow_private = true'),
                    ('body     = "discord"', 'body     = "discord"\nallow_private = true')])
            elif "moto_server" in tutorial:
                tutorial = replaced(tutorial, [
                    ("127.0.0.1:5000", f"127.0.0.1:{other}"), ("moto_server -p 5000", f"moto_server -p {other}")])
            else:
                tutorial = tutorial.replace("127.0.0.1:9000", f"127.0.0.1:{other}").replace(
                    '("127.0.0.1", 9000)', f'("127.0.0.1", {other})')
            tutorial = tutorial.replace(" ../crowbar/", f" {pathlib.Path(__file__).parents[2]}/")
            follow(reader, tutorial.replace("127.0.0.1:8080", f"127.0.0.1:{port}"))
        except Failure as failure:
            raise SystemExit(f"{path}: {failure}")
        finally:
            reader.stop()
            stop()
    print("done")


main()
