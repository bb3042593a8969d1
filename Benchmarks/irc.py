"""The IRC bridge's figures: from one real ngIRCd through the log to another one, both on loopback without penalties."""
import json
import pathlib
import shutil
import socket
import statistics
import struct
import subprocess
import threading
import time

RATES = (100, 500)
# Of each the median of so many runs is told.
RUNS = 3
SECONDS = 6
# The host takes 10,000 commands of a plugin at once, and then 100 a second.
BURST = 9_000
# Lines before memory is measured, most of them from the chat to IRC.
LINES = 20_000
PUPPETS = 1_000
# Users' connections that are asked for at once: all are there before a message has waited for 10 s.
PUPPET_BATCH = 25

IRCD = """[Global]
Name = {name}.bench.local
Info = bench
Listen = 127.0.0.1
Ports = {port}
[Limits]
MaxPenaltyTime = 0
MaxConnections = 0
MaxConnectionsIP = 0
MaxNickLength = 32
MaxJoins = 0
PingTimeout = 600
[Options]
DNS = no
Ident = no
PAM = no
"""

MANIFEST = """command = ["crowbar-irc"]
own_events = true
replay = false
commands = ["REGISTER_USER", "RENAME_USER", "JOIN_CHANNEL", "LEAVE_CHANNEL", "SEND_MESSAGE", "EDIT_MESSAGE", "SET_TOPIC"]
[sandbox]
network = true
"""

NETWORK = """[[config.networks]]
name = "{name}"
host = "127.0.0.1"
port = {port}
tls = false
flood = {{ burst = 0, lines_per_second = 0 }}
{more}
[[config.links]]
channel = "general"
irc = "{name}/#general"
"""


class IRCServer:
    def __init__(self, folder, name, port):
        program = shutil.which("ngircd", path="/usr/sbin:/usr/bin:/bin:/usr/local/sbin")
        if not program:
            raise SystemExit("needs ngircd (apt-get install ngircd)")
        self.port = port
        file = pathlib.Path(folder) / f"{name}.conf"
        file.write_text(IRCD.format(name=name, port=port))
        self.process = subprocess.Popen([program, "-n", "-f", file], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise SystemExit("ngircd does not listen")

    def stop(self):
        self.process.kill()
        self.process.wait()


class Person:
    """Somebody in #general; what is said there is kept with the time at which it came to the socket."""

    # socket(7); Python has no names for them.
    SO_TIMESTAMPNS = 35
    TIMESPEC = struct.Struct("qq")

    def __init__(self, port, nick):
        self.heard, self.joined = [], 0
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.connection.settimeout(None)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # By the kernel's clock, as it takes this program a tenth of a millisecond to wake up.
        self.connection.setsockopt(socket.SOL_SOCKET, self.SO_TIMESTAMPNS, 1)
        self.is_in = threading.Event()
        self.send(f"NICK {nick}\r\nUSER {nick} 0 * :{nick}")
        threading.Thread(target=self.read, daemon=True).start()
        if not self.is_in.wait(20):
            raise SystemExit(f"{nick} could not join")

    def send(self, text):
        self.connection.sendall(text.encode() + b"\r\n")

    def lines(self):
        """Lines with the times at which they came, in ns."""
        rest = b""
        space = socket.CMSG_SPACE(self.TIMESPEC.size)
        while True:
            try:
                # A server that waits for this before it sends the next line must not be measured by it.
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                data, ancillary, _, _ = self.connection.recvmsg(1 << 16, space)
            except ConnectionResetError:
                return
            if not data:
                return
            stamps = [self.TIMESPEC.unpack(content) for _, kind, content in ancillary if kind == self.SO_TIMESTAMPNS]
            at = stamps[0][0] * 10**9 + stamps[0][1] if stamps else time.time_ns()
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield at, line

    def read(self):
        for at, line in self.lines():
            words = line.split(b" ", 3)
            if words[0] == b"PING":
                self.connection.sendall(b"PONG " + words[1])
            elif words[1] == b"PRIVMSG":
                self.heard.append((at, words[3][1:].rstrip()))
            elif words[1] == b"JOIN":
                self.joined += 1
            elif words[1] == b"001":
                self.send("JOIN #general")
            elif words[1] == b"366":
                self.is_in.set()

    def wait(self, count, seconds):
        until = time.monotonic() + seconds
        while len(self.heard) < count and time.monotonic() < until:
            time.sleep(0.01)


def bridge(server, networks):
    """Starts the server with the bridge between these networks; returns the bridge's process id."""
    text = MANIFEST + "".join(NETWORK.format(name=n, port=p, more=m) for n, p, m in networks)
    (server.folder / "plugins.d" / "irc.toml").write_text(text)
    server.start()
    server.prepare()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        plugin = json.loads(server.crowbar("plugins", "list", "--json"))[0]
        if plugin.get("status", {}).get("level") == "ok":
            return plugin["pid"]
        time.sleep(0.1)
    raise SystemExit(f"the bridge is not connected: {plugin}")


class Talk:
    """Somebody on each server, as a small program in C: who measures must not take the caches from what is measured."""

    def __init__(self, binaries, ircds):
        self.process = subprocess.Popen([binaries / "crowbar-bench-talk", *(str(ircd.port) for ircd in ircds)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit("crowbar-bench-talk could not join")

    def at_rate(self, rate):
        """The time from one server to the other at a rate: median and 99th percentile in ms, and how many were lost."""
        medians, highs, lost = [], [], 0
        for _ in range(RUNS):
            count = rate * SECONDS
            self.process.stdin.write(f"{rate} {count}\n")
            self.process.stdin.flush()
            waits = sorted(int(word) / 1e6 for word in self.process.stdout.readline().split())
            if not waits:
                raise SystemExit(f"nothing came through at {rate} lines/s")
            medians.append(statistics.median(waits))
            highs.append(waits[len(waits) * 99 // 100])
            lost += count - len(waits)
        return statistics.median(medians), statistics.median(highs), lost

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def burst(bob, eve):
    """Lines a second in a burst, and how many were inverted, lost and doubled."""
    del eve.heard[:]
    begin = time.time_ns()
    for start in range(0, BURST, 100):
        bob.send("\r\n".join(f"PRIVMSG #general :{i} the quick brown fox" for i in range(start, start + 100)))
    eve.wait(BURST, 120)
    numbers = [int(text.split()[1]) for _, text in eve.heard]
    inverted = sum(a > b for a, b in zip(numbers, numbers[1:]))
    seconds = (eve.heard[-1][0] - begin) / 1e9
    once = len(set(numbers))
    return len(numbers) / seconds, inverted, BURST - once, len(numbers) - once


class Relay:
    """The limit: a relay in C that syncs what it says, between the same servers."""

    def __init__(self, binaries, folder, ircds):
        self.process = subprocess.Popen(
            [binaries / "crowbar-bench-relay", *(str(ircd.port) for ircd in ircds), pathlib.Path(folder) / "relay"])
        self.bob, self.eve = Person(ircds[0].port, "bob"), Person(ircds[1].port, "eve")
        until = time.monotonic() + 20
        asked = 0
        # Until the last of the questions is answered, so that none is heard later.
        while not self.eve.heard or not self.eve.heard[-1][1].endswith(b" %d" % asked):
            if time.monotonic() > until:
                raise SystemExit("crowbar-bench-relay says nothing")
            asked += 1
            self.bob.send(f"PRIVMSG #general :are you there {asked}")
            self.eve.wait(len(self.eve.heard) + 1, 0.5)

    def leave(self):
        """Leaves the relay to others."""
        for person in (self.bob, self.eve):
            person.connection.shutdown(socket.SHUT_RDWR)

    def stop(self):
        self.process.kill()
        self.process.wait()


def irc(Server, row, resident, free_port, binaries, folder):
    for name, body in (("latency", latencies), ("burst", bursts), ("puppets", puppets)):
        server = Server(binaries, pathlib.Path(folder) / name)
        ircds = [IRCServer(server.folder, name, free_port()) for name in ("a", "b")]
        try:
            body(server, ircds, row, resident)
        finally:
            server.stop()
            for ircd in ircds:
                ircd.stop()


def latencies(server, ircds, row, resident):
    relay = Relay(server.binaries, server.folder, ircds)
    relay.leave()
    talk = Talk(server.binaries, ircds)
    limits = {rate: talk.at_rate(rate) for rate in RATES}
    talk.stop()
    relay.stop()
    pid = bridge(server, [("a", ircds[0].port, ""), ("b", ircds[1].port, "")])
    talk = Talk(server.binaries, ircds)
    for rate in RATES:
        median, high, lost = talk.at_rate(rate)
        limit, high_limit, _ = limits[rate]
        print(f"{f'IRC to log to IRC, {rate} lines/s':44} {median:9.2f} ms p50 {high:9.2f} ms p99, {lost} lost; "
              f"{median / limit:.2f} and {high / high_limit:.2f} of a relay in C ({limit:.2f}, {high_limit:.2f})",
              flush=True)
    talk.stop()
    eve = Person(ircds[1].port, "eve")
    count = LINES - sum(RATES) * SECONDS * RUNS
    line = '{"type":"SEND_MESSAGE","channelId":"general","message":"the quick brown fox jumps over the lazy dog"}'
    begin = time.monotonic()
    server.post("\n".join([line] * count), "application/x-ndjson")
    eve.wait(count, 120)
    row(f"log to IRC, {count:,} at once", len(eve.heard) / (time.monotonic() - begin), "lines/s",
        what=f"{count - len(eve.heard)} lost")
    row(f"crowbar-irc after {LINES:,} lines, resident", resident(pid), "MB")


def bursts(server, ircds, row, resident):
    relay = Relay(server.binaries, server.folder, ircds)
    limit, _, _, _ = burst(relay.bob, relay.eve)
    relay.leave()
    relay.stop()
    bridge(server, [("a", ircds[0].port, ""), ("b", ircds[1].port, "")])
    rate, inverted, lost, doubled = burst(Person(ircds[0].port, "bob"), Person(ircds[1].port, "eve"))
    row(f"IRC to log to IRC, a burst of {BURST:,}", rate, "lines/s", limit,
        f"a relay in C; {inverted} inverted, {lost} lost, {doubled} doubled")


def puppets(server, ircds, row, resident):
    more = f'mode = "puppets"\npuppets = {{ limit = {PUPPETS}, idle = 0 }}'
    pid = bridge(server, [("a", ircds[0].port, more), ("b", ircds[1].port, "")])
    before = resident(pid)
    bob, eve = Person(ircds[1].port, "bob"), Person(ircds[0].port, "eve")
    begin = time.monotonic()
    # One client under a thousand nicks is a thousand users of the chat.
    for start in range(0, PUPPETS, PUPPET_BATCH):
        batch = range(start, start + PUPPET_BATCH)
        bob.send("\r\n".join(f"NICK u{i}\r\nPRIVMSG #general :hello from {i}" for i in batch))
        eve.wait(start + PUPPET_BATCH, 30)
    seconds = time.monotonic() - begin
    row(f"crowbar-irc with {eve.joined - 1:,} users' connections, resident", resident(pid), "MB",
        what=f"{before:.0f} MB without, {seconds:.0f} s to connect them")
