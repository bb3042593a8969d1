"""Judges the Debian package in a bare Debian made by mmdebstrap: installed, started, used, upgraded, removed, purged.
usage: package_judge.py PACKAGE.deb. Needs root and, for the installation, the machine's apt sources.

systemd cannot run here. The server is started by the unit's ExecStart as the unit's User, in its WorkingDirectory with
its UMask, without privileges, and with its credentials; the unit's other settings are judged by configuration_judge.py.
In an upgrade a stand-in for systemctl notes what the package asks of systemd."""

import base64
import contextlib
import fcntl
import hashlib
import hmac
import http.server
import json
import os
import queue
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(HERE + "/../../..")
PROGRAMS = ["crowbar", "crowbar-launch", "crowbar-irc", "crowbar-webhook", "crowbar-aws"]
CONFIGURATION = "/etc/crowbar/crowbar.toml"
ADDRESS = "http://127.0.0.1:8080"
OLDER = "0.0.1"
DEADLINE = 90
checked = 0


def expect(condition, what):
    global checked
    checked += 1
    if not condition:
        sys.exit(f"not so: {what}")


def poll(condition, what):
    """Waits until the condition holds."""
    end = time.monotonic() + DEADLINE
    while not (found := condition()):
        expect(time.monotonic() < end, what)
        time.sleep(0.05)
    return found


class Machine:
    """The bare Debian, a folder."""

    def __init__(self, folder):
        self.folder, self.root = folder, folder + "/root"

    @classmethod
    def bootstrap(cls, folder):
        with open("/etc/os-release") as file:
            suite = re.search(r"^VERSION_CODENAME=(\w+)$", file.read(), re.M).group(1)
        sources = "/etc/apt/sources.list.d/debian.sources"
        if not os.path.exists(sources):
            sources = "/etc/apt/sources.list"
        machine = cls(folder)
        subprocess.run(
            ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", suite, machine.root, sources],
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=900,
        )
        for path in ("dev", "run", "tmp"):
            mount("-t", "tmpfs", "tmpfs", f"{machine.root}/{path}")
        os.chmod(machine.root + "/tmp", 0o1777)
        for name, number in (("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)):
            os.mknod(f"{machine.root}/dev/{name}", 0o20666, os.makedev(1, number))
            os.chmod(f"{machine.root}/dev/{name}", 0o666)
        os.symlink("/proc/self/fd", machine.root + "/dev/fd")
        mount("-t", "proc", "proc", machine.root + "/proc")
        shutil.copy("/etc/resolv.conf", machine.root + "/etc/resolv.conf")
        machine.run("apt-get", "update", "-q")
        return machine

    def run(self, *command, status=0, user=None):
        """Runs a command inside, and returns what it printed."""
        rights = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        ended = subprocess.run(
            ["chroot", self.root, *rights, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/root",
                "DEBIAN_FRONTEND": "noninteractive",
                "LANG": "C.UTF-8",
            },
        )
        expect(
            ended.returncode == status, f"'{' '.join(command)}' has status {status}: {ended.returncode}\n{ended.stdout}"
        )
        return ended.stdout

    def verb(self, *words, status=0):
        """A verb, as the operator runs it by 'sudo -u crowbar'."""
        return self.run("crowbar", *words, "--config", CONFIGURATION, status=status, user="crowbar")

    def install(self, package):
        """Installs a package by apt. In conffiles that both sides changed, the operator keeps the own version."""
        shutil.copy(package, self.root + "/tmp/crowbar.deb")
        return self.run(
            "apt-get",
            "install",
            "-y",
            "--no-install-recommends",
            "-o",
            "Dpkg::Options::=--force-confold",
            "/tmp/crowbar.deb",
        )

    def exists(self, path):
        return os.path.lexists(self.root + path)

    def read(self, path):
        with open(self.root + path) as file:
            return file.read()

    def write(self, path, text, mode=0o644):
        with open(self.root + path, "w") as file:
            file.write(text)
        os.chmod(self.root + path, mode)

    def edit(self, path, *pairs):
        """What an operator does in an editor."""
        text = self.read(path)
        for old, new in pairs:
            expect(text.count(old) == 1, f"{path} has '{old}' once")
            text = text.replace(old, new)
        self.write(path, text)

    def mode(self, path):
        return os.stat(self.root + path).st_mode & 0o7777

    @contextlib.contextmanager
    def systemctl(self):
        """A stand-in for systemctl. Its calls are collected, each after the installed version at that time."""
        calls, program = [], "/usr/bin/systemctl"
        os.makedirs(self.root + "/run/systemd/system")
        os.rename(self.root + program, self.root + program + ".real")
        note = """echo "$(dpkg-query -W -f '${Version}' crowbar)" $(printf '%s\\n' "$@" | grep -v ^--) >>/tmp/calls"""
        self.write(program, f"#!/bin/sh\n{note}\necho enabled\n", 0o755)
        try:
            yield calls
            calls += self.read("/tmp/calls").splitlines()
        finally:
            os.rename(self.root + program + ".real", self.root + program)
            shutil.rmtree(self.root + "/run/systemd/system")

    @contextlib.contextmanager
    def server(self):
        """The server, as the unit starts it."""
        unit = dict(re.findall(r"^(\w+)=(.*)$", self.read("/lib/systemd/system/crowbar.service"), re.M))
        user, state = unit["User"], "/var/lib/" + unit["StateDirectory"]
        number = int(self.run("id", "-u", user))
        os.makedirs(self.root + state, exist_ok=True)
        os.chown(self.root + state, number, number)
        os.chmod(self.root + state, int(unit["StateDirectoryMode"], 8))
        name, secrets = unit["LoadCredential"].split(":")
        credentials = "/run/credentials/crowbar.service"
        os.makedirs(self.root + credentials, exist_ok=True)
        os.chown(self.root + credentials, number, number)
        for file in os.listdir(self.root + secrets):
            self.write(f"{credentials}/{name}_{file}", self.read(f"{secrets}/{file}"), 0o400)
            os.chown(f"{self.root}{credentials}/{name}_{file}", number, number)
        log = self.folder + "/server.log"
        with open(log, "a") as output:
            process = subprocess.Popen(
                [
                    *("chroot", self.root, "env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"),
                    *("setpriv", f"--reuid={user}", f"--regid={unit['Group']}", "--clear-groups", "--no-new-privs"),
                    *(
                        "--bounding-set=-all",
                        "sh",
                        "-c",
                        f'umask {unit["UMask"]}; cd {unit["WorkingDirectory"]}; exec "$@"',
                        "sh",
                    ),
                    *unit["ExecStart"].split(),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            poll(lambda: process.poll() is not None or get("/readyz")[0] == 200, "the server is ready")
            if process.poll() is not None:
                with open(log) as file:
                    sys.exit(f"not so: the server starts: {file.read()[-3000:]}")
            yield process
            process.send_signal(signal.SIGTERM)
            expect(process.wait(45) == 0, "SIGTERM ends the server in order")
        except BaseException:
            with open(log) as file:
                sys.stderr.write(file.read()[-5000:])
            raise
        finally:
            if process.poll() is None:
                process.kill()


def version(machine):
    """The installed version of the package."""
    return machine.run("dpkg-query", "-W", "-f", "${Version}", "crowbar")


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True, stdin=subprocess.DEVNULL)


def get(path, token=None, body=None, address=ADDRESS):
    """The status and the body of an answer; 0 where nobody answers."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(address + path, body, headers), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def send(token, text):
    """Sends a message, and returns its id."""
    body = json.dumps({"type": "SEND_MESSAGE", "channelId": "general", "message": text}).encode()
    status, answer = get("/api/commands", token, body)
    expect(status == 200, f"a message is accepted: {status} {answer}")


class Receiver:
    """A webhook's receiver on loopback. It verifies each signature."""

    def __init__(self, key):
        received = self.received = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
                expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
                received.put((f"v1,{expected}" in self.headers["webhook-signature"].split(), json.loads(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 9000), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def expect(self, text):
        signed, body = self.received.get(timeout=DEADLINE)
        expect(signed, "the webhook's signature is right")
        expect(text in json.dumps(body), f"the webhook has '{text}': {body}")


class IRC:
    """ngIRCd on loopback, and a person on it."""

    def __init__(self, folder):
        with open(folder + "/ngircd.conf", "w") as file:
            file.write(
                "[Global]\nName = irc.example.org\nInfo = test\nListen = 127.0.0.1\nPorts = 6667\nMotdPhrase = x\n"
                "[Limits]\nMaxNickLength = 31\n[Options]\nIdent = no\nPAM = no\nDNS = no\n"
            )
        self.process = subprocess.Popen(
            ["ngircd", "-n", "-f", folder + "/ngircd.conf"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        self.socket = poll(self.connect, "ngIRCd listens")
        self.socket.settimeout(DEADLINE)
        self.file = self.socket.makefile(encoding="utf-8", newline="\r\n")
        self.say("NICK person\r\nUSER person 0 * :person")
        self.line(r" 001 person ")
        self.say("JOIN #general")
        self.line(r" 366 person ")

    @staticmethod
    def connect():
        try:
            return socket.create_connection(("127.0.0.1", 6667))
        except OSError:
            return None

    def say(self, line):
        self.socket.sendall((line + "\r\n").encode())

    def line(self, pattern):
        """The next line that matches."""
        for line in self.file:
            if line.startswith("PING"):
                self.say("PONG" + line[4:].rstrip())
            if re.search(pattern, line):
                return line
        sys.exit(f"not so: IRC has {pattern}")


def older(package, folder):
    """The same package as an older version would be: with another number, and with other conffiles."""
    tree = folder + "/older"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    for path, pattern, text in [
        ("DEBIAN/control", r"^Version: .*$", f"Version: {OLDER}"),
        ("etc/crowbar/crowbar.toml", r"\A.*$", "# Crowbar's configuration, as it was in an older version."),
        ("etc/crowbar/plugins.d/aws.toml", r"\A.*$", "# As it was in an older version."),
    ]:
        with open(f"{tree}/{path}") as file:
            found, count = re.subn(pattern, text, file.read(), count=1, flags=re.M)
        expect(count == 1, f"{path} is changed")
        with open(f"{tree}/{path}", "w") as file:
            file.write(found)
    built = folder + "/older.deb"
    subprocess.run(
        ["dpkg-deb", "-Znone", "-b", "--root-owner-group", tree, built], check=True, stdout=subprocess.DEVNULL
    )
    shutil.rmtree(tree)
    return built


def judge_files(machine):
    """What the installation made."""
    with open(ROOT + "/deploy/systemd/crowbar.service") as file:
        expect(machine.read("/lib/systemd/system/crowbar.service") == file.read(), "the unit is that of the repository")
    expect(machine.exists("/etc/systemd/system/multi-user.target.wants/crowbar.service"), "the unit is enabled")
    verified = machine.run("systemd-analyze", "verify", "--man=no", "/lib/systemd/system/crowbar.service")
    expect("crowbar.service" not in verified, f"systemd-analyze verify has nothing to say: {verified}")
    expect(machine.mode("/etc/crowbar/secrets") == 0o700, "the folder of secrets is root's alone")
    expect(
        re.search(r"^crowbar:x:\d+:\d+:.*:/var/lib/crowbar:/usr/sbin/nologin$", machine.read("/etc/passwd"), re.M),
        "the user is there",
    )
    for program in PROGRAMS:
        libraries = machine.run("ldd", "/usr/lib/crowbar/" + program)
        expect("not found" not in libraries and "swift" not in libraries, f"{program} needs no Swift: {libraries}")
    found = machine.run(
        "find", "/", "-xdev", "(", "-name", "libswift*", "-o", "-name", "swiftc", "-o", "-name", "swift", ")"
    )
    expect(found == "", f"there is no Swift toolchain: {found}")
    expect(machine.verb("check").endswith("ok\n"), "'crowbar check' accepts the configuration as it is installed")


def judge_completions(machine):
    folder = machine.root + "/usr/share/"
    subprocess.run(["zsh", "-n", folder + "zsh/vendor-completions/_crowbar"], check=True, stdin=subprocess.DEVNULL)
    subprocess.run(
        ["fish", "--no-execute", folder + "fish/vendor_completions.d/crowbar.fish"],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    script = """
        source /usr/share/bash-completion/completions/crowbar
        COMP_WORDS=(crowbar plu) COMP_CWORD=1 COMP_LINE='crowbar plu' COMP_POINT=11
        $(complete -p crowbar | sed 's/.*-F \\([^ ]*\\) .*/\\1/') crowbar plu crowbar
        echo "${COMPREPLY[@]}"
    """
    expect(machine.run("bash", "-c", script).split() == ["plugins"], "bash completes 'plu' to 'plugins'")


def configure(machine, key):
    """What the operator does: one file is edited, and the secret it names is written."""
    machine.write("/etc/crowbar/secrets/webhook", "whsec_" + base64.b64encode(key).decode() + "\n", 0o600)
    machine.edit(
        "/etc/crowbar/plugins.d/webhook.toml",
        ("enabled = false", "enabled = true"),
        ("https://hooks.example.org/crowbar", "http://127.0.0.1:9000/hook"),
        ('{ env = "WEBHOOK_SECRET" }', '{ file = "/run/credentials/crowbar.service/secrets_webhook" }'),
        ('# allow_private = ["10.1.0.0/16"]', 'allow_private = ["127.0.0.1"]'),
    )


def judge_use(machine, receiver):
    """The main job, with the older package."""
    with machine.server():
        expect(machine.verb("health") == "ready\n", "'crowbar health' says so")
        expect(
            f"http://127.0.0.1:8080/#/setup/" in machine.read("/var/lib/crowbar/data/setup-link"),
            "there is a setup link",
        )
        machine.verb("channel", "add", "general")
        machine.verb("user", "add", "ann")
        token = machine.verb("token", "ann").strip()
        status, answer = get("/api/commands", token, b'{"type":"JOIN_CHANNEL","channelId":"general"}')
        expect(status == 200, f"the user joins: {answer}")
        send(token, "hello from the package")
        receiver.expect("hello from the package")

        irc = IRC(machine.folder)
        machine.edit("/etc/crowbar/plugins.d/irc.toml", ("enabled    = false", "enabled    = true"))
        irc.line(r"^:crowbar\S* JOIN :?#general")
        send(token, "from the chat to IRC")
        irc.line(r"PRIVMSG #general :.*from the chat to IRC")
        receiver.expect("from the chat to IRC")
        irc.say("PRIVMSG #general :from IRC to the chat")
        receiver.expect("from IRC to the chat")
        machine.verb("plugins", "--check")

        machine.verb("user", "add", "operator", "--admin")
        monitor = machine.verb("token", "create", "operator", "--scope", "metrics").strip()
        status, metrics = get("/metrics", monitor)
        expect(
            status == 200 and re.search(r"^crowbar_build_info\{version=\"[0-9.]+\"\} 1$", metrics, re.M),
            "the metrics answer",
        )
        pattern = r'^crowbar_deliveries_total\{plugin="webhook",outcome="[a-z_]+"\} ([1-9]\d*)$'
        expect(re.search(pattern, metrics, re.M), f"and count the deliveries: {metrics}")
        irc.process.terminate()
    machine.edit("/etc/crowbar/plugins.d/irc.toml", ("enabled    = true", "enabled    = false"))
    return token


def judge_upgrade(machine, package, receiver, token):
    """A newer package: data and edits are kept, what nobody edited is replaced."""
    mine = ("# [metrics]\n# listen", "[metrics]\nlisten")
    machine.edit(CONFIGURATION, mine)
    edited = {path: machine.read(path) for path in (CONFIGURATION, "/etc/crowbar/plugins.d/webhook.toml")}
    expect("older version" in machine.read("/etc/crowbar/plugins.d/aws.toml"), "the older version's file is there")
    with machine.systemctl() as calls:
        said = machine.install(package)
    stop, start = f"{OLDER} stop crowbar.service", f"{version(machine)} start crowbar.service"
    expect(stop in calls and start in calls, f"the service stops before the upgrade and starts after it: {calls}")
    expect(calls.index(stop) < calls.index(start) and len(calls) > 2, f"in that order: {calls}")
    expect(version(machine) != OLDER, f"the newer version is installed: {said}")
    for path, text in edited.items():
        expect(machine.read(path) == text, f"{path} keeps the operator's edits")
    expect(machine.exists(CONFIGURATION + ".dpkg-dist"), "the newer version's file is beside the edited one")
    expect(
        "older version" not in machine.read("/etc/crowbar/plugins.d/aws.toml"), "a file that nobody edited is replaced"
    )
    expect(machine.exists("/etc/crowbar/secrets/webhook"), "the secret is kept")
    expect(machine.verb("check").endswith("ok\n"), "'crowbar check' accepts the configuration after the upgrade")
    with machine.server():
        expect("hello from the package" in machine.verb("events", "export"), "the log is kept")
        send(token, "after the upgrade")
        receiver.expect("after the upgrade")
        status, metrics = get("/metrics", address="http://127.0.0.1:9464")
        expect(
            status == 200 and "crowbar_log_position " in metrics,
            "the edited setting has effect: metrics have a listener",
        )
    expect(receiver.received.empty(), "no webhook was sent twice")


def judge_removal(machine):
    os.remove(machine.root + "/tmp/crowbar.deb")
    machine.run("apt-get", "remove", "-y", "crowbar")
    for path in (CONFIGURATION, "/etc/crowbar/secrets/webhook", "/var/lib/crowbar/data/log.db"):
        expect(machine.exists(path), f"a removal keeps {path}")
    for path in ("/usr/bin/crowbar", "/usr/lib/crowbar", "/lib/systemd/system/crowbar.service"):
        expect(not machine.exists(path), f"a removal removes {path}")
    machine.run("apt-get", "purge", "-y", "crowbar")
    left = machine.run("find", "/", "-xdev", "-iname", "*crowbar*")
    expect(left == "", f"a purge leaves nothing: {left}")
    users = "/etc/(passwd|group|shadow|gshadow)-?$"
    named = machine.run("grep", "-rIl", "--exclude-dir=lists", "crowbar", "/etc", "/var/lib", "/usr/share").split()
    expect(all(re.match(users, path) for path in named), f"but the user: {named}")


def judge_volume(machine, package):
    """A purge does not empty a volume that is mounted there. The package's dependencies are installed already."""
    machine.install(package)
    os.makedirs(machine.root + "/var/lib/crowbar", exist_ok=True)
    mount("-t", "tmpfs", "tmpfs", machine.root + "/var/lib/crowbar")
    machine.write("/var/lib/crowbar/file", "kept")
    expect(
        "are kept" in machine.run("apt-get", "purge", "-y", "crowbar"), "a purge says that it keeps a volume's files"
    )
    expect(machine.read("/var/lib/crowbar/file") == "kept" and not machine.exists("/etc/crowbar"), "and does")


def loopback():
    """The loopback of this network namespace, which is of its own, goes up."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 1))


def inside(folder, package):
    """All that needs no network, in a network of its own: on the ports that the configuration has."""
    loopback()
    machine = Machine(folder)
    judge_files(machine)
    judge_completions(machine)
    key = os.urandom(32)
    configure(machine, key)
    receiver = Receiver(key)
    token = judge_use(machine, receiver)
    judge_upgrade(machine, package, receiver, token)
    judge_removal(machine)
    judge_volume(machine, package)
    print(f"judged: {checked}")


def main():
    if os.geteuid() != 0:
        sys.exit("this needs root")
    if sys.argv[1] == "inside":
        return inside(*sys.argv[2:])
    if sys.argv[1] != "outside":
        # A mount namespace of its own: all mounts end with it.
        package = os.path.abspath(sys.argv[1])
        command = [sys.executable, "-I", os.path.abspath(__file__), "outside", package]
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", *command])
    package = sys.argv[2]
    folder = tempfile.mkdtemp(prefix="crowbar-package-", dir="/var/tmp")
    machine = None
    try:
        os.chmod(folder, 0o755)
        machine = Machine.bootstrap(folder)
        machine.install(older(package, folder))
        command = [sys.executable, "-I", os.path.abspath(__file__), "inside", folder, package]
        status = subprocess.run(["unshare", "--net", *command], stdin=subprocess.DEVNULL, check=False).returncode
    finally:
        for path in ("var/lib/crowbar", "proc", "dev", "run", "tmp"):
            subprocess.run(["umount", "-l", f"{folder}/root/{path}"], check=False, stderr=subprocess.DEVNULL)
        # Not past a mount that is still there.
        subprocess.run(["rm", "-rf", "--one-file-system", folder], check=False)
    sys.exit(status)


main()
