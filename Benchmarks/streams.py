"""script/bench streams: followers of the event stream, beside a bare fan-out to as many sockets."""
import os
import statistics
import subprocess
import threading

from __main__ import RUNS, SECONDS, Server, resident, ticks

# Followers, events a second, and the bytes of a frame on the wire for the bare fan-out.
SHAPES = [(1_000, 50), (200, 200)]
FRAME = 330
# Of each user; the server allows 16.
STREAMS_OF_USER = 10
# Every so many events one is in the private channel, which half of the followers are members of.
PRIVATE_EVERY = 5


def prepare(server, users):
    """Makes users with tokens, a public channel for all and a private one for the first half."""
    server.prepare()
    lines = ['{"type":"CREATE_CHANNEL","channelId":"den","private":true}']
    server.post("\n".join(lines), "application/x-ndjson")
    names, tokens = [f"u{i}" for i in range(users)], {}
    for name in names:
        server.crowbar("user", "add", name)
        tokens[name] = server.crowbar("token", name)
    own = server.token
    for i, name in enumerate(names):
        if i < users // 2:
            server.token = own
            server.post(f'{{"type":"INVITE_USER","channelId":"den","invitee":"{name}"}}')
        server.token = tokens[name]
        server.post('{"type":"JOIN_CHANNEL","channelId":"general"}')
        if i < users // 2:
            server.post('{"type":"JOIN_CHANNEL","channelId":"den"}')
    server.token = own
    return [tokens[name] for name in names]


def followers(tokens, count):
    """The lines for crowbar-bench-follow: every second stream is one with `mine`."""
    lines = []
    for i in range(count):
        path = "/api/events/stream?mine=true" if i % 2 else "/api/events/stream"
        # The first half of the users are the members of the private channel.
        token = tokens[i * len(tokens) // count]
        lines.append(f"{token} 10.1.{i // 50}.1 {path}")
    return "\n".join(lines) + "\n"


class Peak(threading.Thread):
    """Looks at a process's resident memory while a measurement runs."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.most, self.over = pid, 0.0, threading.Event()

    def run(self):
        while not self.over.wait(0.2):
            self.most = max(self.most, resident(self.pid))


def follow(binaries, server, tokens, count, rate):
    channels = ["general"] * (PRIVATE_EVERY - 1) + ["den"]
    peak, before = Peak(server.process.pid), ticks(server.process.pid)
    peak.start()
    result = subprocess.run(
        [binaries / "crowbar-bench-follow", "streams", str(server.port), str(rate), str(SECONDS), server.token,
         *channels], input=followers(tokens, count), capture_output=True, text=True)
    peak.over.set()
    peak.join()
    if result.returncode:
        raise SystemExit(result.stderr)
    used = (ticks(server.process.pid) - before) / os.sysconf("SC_CLK_TCK")
    p50, p99, _, delivered, posted = map(float, result.stdout.splitlines()[-1].split())
    private = int(posted) // PRIVATE_EVERY
    expected = (int(posted) - private) * count + private * (count // 2)
    if int(delivered) != expected:
        raise SystemExit(f"{int(delivered)} events arrived in place of {expected}")
    return p50, p99, peak.most, used / SECONDS


def fanout(binaries, count, rate):
    output = subprocess.run(
        [binaries / "crowbar-bench-follow", "fanout", str(count), str(rate), str(SECONDS), str(FRAME)],
        capture_output=True, text=True, check=True).stdout
    return list(map(float, output.splitlines()[-1].split()))[:2]


def measure(binaries, folder):
    server = Server(binaries, folder)
    with open(server.folder / "crowbar.toml", "a") as config:
        config.write('trusted_proxies = ["127.0.0.1"]\n')
    server.start()
    try:
        tokens = prepare(server, max(count for count, _ in SHAPES) // STREAMS_OF_USER)
        for count, rate in SHAPES:
            runs, limits = [], []
            for _ in range(RUNS):
                runs.append(follow(binaries, server, tokens, count, rate))
                limits.append(fanout(binaries, count, rate))
            p50, p99, memory, used = (statistics.median(values) for values in zip(*runs))
            bare50, bare99 = (statistics.median(values) for values in zip(*limits))
            print(f"{f'{count:,} followers, {rate} events/s':44} {p50:9.2f} ms p50 {p99:9.2f} ms p99 beside "
                  f"{bare50:.2f} and {bare99:.2f} of a bare fan-out in C", flush=True)
            print(f"{'':44} {memory:9.0f} MB resident, {used:9.2f} processors", flush=True)
    finally:
        server.stop()
