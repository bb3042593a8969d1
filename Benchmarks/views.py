"""The figures of the views: reads beside GET /healthz, rebuilds beside C, and what ingest pays for them."""
import http.client
import json
import pathlib
import random
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time

import run as bench

MESSAGES = 1_000_000
CHANNELS = 10_000
PRIVATE = 100
MEMBER_OF = 1_000
UNREAD = 20
READS = 300
SEARCHES = 400
# A user has five searches a second.
SEARCHERS = 20
SEARCHES_A_SECOND = 50
RATE = 3_000
SECONDS = 8
BATCH = 20_000
RANDOM = random.Random(1)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["".join(RANDOM.choice(LETTERS) for _ in range(RANDOM.randint(3, 9))) for _ in range(5_000)]


def text():
    # Some words are said often and most seldom, as in a language.
    return " ".join(WORDS[min(int(RANDOM.paretovariate(0.7)) - 1, len(WORDS) - 1)] for _ in range(8))


class Reader:
    """One connection that is kept, with a token."""

    def __init__(self, server, token=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path, status=200, **headers):
        self.connection.request("GET", path, headers={**self.headers, **headers})
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != status:
            raise SystemExit(f"{path}: {answer.status} {body[:300]!r}")
        return answer, body

    def times(self, paths, status=200, **headers):
        """How long each takes, in milliseconds, in order of length."""
        waits = []
        for path in paths:
            begin = time.monotonic()
            self.get(path, status, **headers)
            waits.append((time.monotonic() - begin) * 1e3)
        return sorted(waits)


class Operator:
    """The command line's socket."""

    class Connection(http.client.HTTPConnection):
        def __init__(self, path):
            super().__init__("localhost", timeout=600)
            self.path = str(path)

        def connect(self):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(self.path)

    def __init__(self, server):
        self.data = server.folder / "data"
        self.key = (self.data / "admin.key").read_text().strip()

    def call(self, method, path, body=None):
        connection = self.Connection(self.data / "crowbar.sock")
        connection.request(method, path, body and json.dumps(body), {
            "Authorization": f"Bearer {self.key}", "Content-Type": "application/json",
            "Idempotency-Key": f"{time.time_ns()}"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {text[:300]!r}")
        return json.loads(text)

    def views(self):
        return {view["name"]: view for view in self.call("GET", "/api/admin/views?sizes=false")}

    def wait(self, what, condition, seconds=1800):
        """Waits until the views are as they should be."""
        until = time.monotonic() + seconds
        while not condition(self.views()):
            if time.monotonic() > until:
                raise SystemExit(f"waited {seconds} s for {what}: {self.views()}")
            time.sleep(0.02)

    def settle(self):
        self.wait("the views", lambda views: all(view["state"] == "current" for view in views.values()))


def percentiles(name, waits, limit, unit="ms"):
    print(f"{name:44} {waits[len(waits) // 2]:9.2f} {unit} p50 {waits[len(waits) * 99 // 100]:9.2f} {unit} p99 "
          f"of {len(waits)}{limit}", flush=True)


def load(server, lines, token):
    """Stores commands as NDJSON."""
    batch = []

    def send():
        server.token = token
        for line in server.post("\n".join(batch), "application/x-ndjson").splitlines():
            if b'"error"' in line:
                raise SystemExit(line.decode())
        batch.clear()
    for line in lines:
        batch.append(json.dumps(line))
        if len(batch) == BATCH:
            send()
    if batch:
        send()


def populate(server):
    """A log of channels, members and messages; gives the tokens."""
    tokens = {}
    server.crowbar("channel", "add", "general")
    for user in ["ann", "bob"] + [f"s{i}" for i in range(SEARCHERS)]:
        server.crowbar("user", "add", user)
        tokens[user] = server.crowbar("token", user)
    load(server, ({"type": "CREATE_CHANNEL", "channelId": f"c{i}", "channelName": f"Channel {i}",
                   **({"private": True} if i < PRIVATE else {})} for i in range(CHANNELS)), tokens["ann"])
    own = range(CHANNELS - MEMBER_OF, CHANNELS)
    load(server, ({"type": "SEND_MESSAGE", "channelId": f"c{i}", "message": text()}
                  for i in own for _ in range(5)), tokens["ann"])
    load(server, ({"type": "JOIN_CHANNEL", "channelId": f"c{i}"} for i in own), tokens["bob"])
    load(server, ({"type": "SEND_MESSAGE", "channelId": f"c{i}", "message": text()}
                  for i in own[:UNREAD] for _ in range(30)), tokens["ann"])
    load(server, [{"type": "JOIN_CHANNEL", "channelId": "general"}], tokens["ann"])
    begin = time.monotonic()
    load(server, ({"type": "SEND_MESSAGE", "channelId": "general", "message": text(), "eventId": f"m{i}"}
                  for i in range(MESSAGES)), tokens["ann"])
    bench.row("messages stored while the views follow", MESSAGES / (time.monotonic() - begin), "/s")
    return tokens


def reads(server, tokens):
    ann, bob = Reader(server, tokens["ann"]), Reader(server, tokens["bob"])
    floor = Reader(server).times(["/healthz"] * READS)
    limit = f"; GET /healthz {floor[len(floor) // 2]:.2f} ms"
    answer, body = ann.get("/views/allchannels.json")
    count = len(json.loads(body))
    if count != CHANNELS + 1:
        raise SystemExit(f"{count} channels")
    percentiles(f"allchannels of {count:,}, {PRIVATE} private", ann.times(["/views/allchannels.json"] * READS),
                f" ({len(body) >> 10} KiB){limit}")
    percentiles("the same, 304", ann.times(
        ["/views/allchannels.json"] * READS, 304, **{"If-None-Match": answer.headers["ETag"]}), limit)
    pages = [f"/views/messages/general.json?before=m{RANDOM.randrange(1, MESSAGES)}" for _ in range(READS)]
    percentiles(f"a page of 100 messages out of {MESSAGES:,}", ann.times(pages), limit)
    _, body = bob.get("/views/unread.json")
    counts = [channel["unread"] for channel in json.loads(body).values()]
    if len(counts) != MEMBER_OF or sum(count > 0 for count in counts) != UNREAD:
        raise SystemExit(f"unread of {len(counts)} channels, {sum(count > 0 for count in counts)} with some")
    percentiles(f"unread of {MEMBER_OF:,} channels, {UNREAD} with some", bob.times(["/views/unread.json"] * READS),
                limit)
    searches(server, tokens, limit)


def searches(server, tokens, limit):
    readers = [Reader(server, tokens[f"s{i}"]) for i in range(SEARCHERS)]
    waits, more, begin = [], 0, time.monotonic()
    for i in range(SEARCHES):
        # In turn: often said, seldom said, two words, a phrase, too short for the index.
        word = WORDS[RANDOM.randrange(20)] if i % 5 in (0, 2) else RANDOM.choice(WORDS)
        query = [word, word, f"{word}%20{RANDOM.choice(WORDS)}", f"%22{'%20'.join(text().split()[:2])}%22",
                 word[:2]][i % 5]
        time.sleep(max(0, begin + i / SEARCHES_A_SECOND - time.monotonic()))
        start = time.monotonic()
        _, body = readers[i % SEARCHERS].get(f"/views/search.json?q={query}")
        waits.append((time.monotonic() - start) * 1e3)
        more += b'"more"' in body
    percentiles(f"search over {MESSAGES:,}", sorted(waits), f", {more} with more to find{limit}")


def rebuilds(binaries, server):
    operator = Operator(server)
    head = operator.views()["messages"]["position"]
    rates, indexes, limits = [], [], []
    for run in range(bench.RUNS):
        begin = time.monotonic()
        operator.call("POST", "/api/admin/views/rebuild", {"name": "messages"})
        # The index is built after the messages.
        operator.wait(
            "the messages", lambda views: views["messages"].get("build", {"position": head})["position"] >= head)
        rates.append(head / (time.monotonic() - begin))
        operator.settle()
        begin = time.monotonic()
        operator.call("POST", "/api/admin/views/rebuild", {"name": "search"})
        operator.wait("the index", lambda views: "build" not in views["search"])
        indexes.append(MESSAGES / (time.monotonic() - begin))
        output = subprocess.run(
            [binaries / "crowbar-bench-pipe", "index", server.folder / "data" / "views.db",
             server.folder / f"limit{run}.db"], capture_output=True, text=True, check=True)
        count, seconds = output.stdout.split()
        limits.append(int(count) / float(seconds))
    bench.row("rebuild of messages without search", statistics.median(rates), "events/s")
    bench.row("rebuild of search", statistics.median(indexes), "texts/s", statistics.median(limits),
              "a C loop, the same texts and table")
    begin = time.monotonic()
    operator.call("POST", "/api/admin/views/rebuild", {"name": "channels"})
    operator.wait("the channels", lambda views: "build" not in views["channels"])
    bench.row("rebuild of channels", head / (time.monotonic() - begin), "events/s")


class Lag(threading.Thread):
    """Asks again and again how long an event needs to be in all views."""

    def __init__(self, server, token):
        super().__init__()
        self.server, self.reader, self.waits, self.ended = server, Reader(server, token), [], threading.Event()
        self.sender = Reader(server, token)

    def run(self):
        number = 0
        while not self.ended.wait(0.1):
            number += 1
            event = f"lag-{time.time_ns()}"
            body = json.dumps({"type": "SEND_MESSAGE", "channelId": "general", "message": "x", "eventId": event})
            self.sender.connection.request("POST", "/api/commands", body, {
                **self.sender.headers, "Content-Type": "application/json"})
            self.sender.connection.getresponse().read()
            begin = time.monotonic()
            for view in ["allchannels", "allusers", "messages/general", "search"]:
                query = "q=nothing&" if view == "search" else "limit=1&" if view != "allchannels" else ""
                if view != "search" or number % 3 == 0:
                    self.reader.get(f"/views/{view}.json?{query}min={event}&wait=10s")
            self.waits.append((time.monotonic() - begin) * 1e3)

    def stop(self):
        self.ended.set()
        self.join()
        return sorted(self.waits)


def start(binaries, folder, has_views):
    """A server with a log of its own. Without views: what stands where `views.db` would be cannot be opened."""
    server = bench.Server(binaries, folder)
    if not has_views:
        (server.folder / "data").mkdir()
        (server.folder / "data" / "log.db").touch()
        (server.folder / "data" / "views.db").mkdir()
    server.start()
    server.prepare()
    return server


def ingest(binaries, folder):
    """A fixed rate with and without views, in turn; and then as much as the server takes."""
    body = json.dumps({"type": "SEND_MESSAGE", "channelId": "general",
                       "message": "the quick brown fox jumps over the lazy dog"})
    found, lags = {True: [], False: []}, []
    # The lag has a run of its own, as the reader that measures it takes processor time from both.
    for run in range(bench.RUNS * 2 + 1):
        has_views, is_lag = run % 2 == 0, run == bench.RUNS * 2
        (folder / f"ingest{run}").mkdir()
        server = start(binaries, folder / f"ingest{run}", has_views)
        try:
            lag = Lag(server, server.token) if is_lag else None
            if lag:
                lag.start()
            output = subprocess.run(
                [binaries / "crowbar-bench-rate", str(server.port), server.token, str(RATE), str(SECONDS), body],
                capture_output=True, text=True, check=True).stdout.split()
            if lag:
                lags += lag.stop()
            if int(output[1]):
                raise SystemExit(f"{output[1]} of {output[0]} commands were refused")
            if not is_lag:
                found[has_views].append((float(output[2]), float(output[3])))
        finally:
            server.stop()
    for index, name in enumerate(["p50", "p99"]):
        with_views, without = (statistics.median(pair[index] for pair in found[kind]) for kind in (True, False))
        print(f"{f'{RATE:,} commands/s over HTTP, {name}':44} {with_views:9.2f} ms with views {without:9.2f} ms without "
              f"{with_views / without:6.2f}", flush=True)
    percentiles("all views have an event, meanwhile", sorted(lags), "")
    saturate(binaries, folder)


def saturate(binaries, folder):
    (folder / "saturated").mkdir()
    server = start(binaries, folder / "saturated", True)
    try:
        # A refusal ends it.
        rate = bench.saturate(server)
        begin = time.monotonic()
        Operator(server).settle()
        bench.row("commands a second at saturation, views on", rate, "/s", None, "none refused")
        bench.row("the views catch up after that, in", (time.monotonic() - begin) * 1e3, "ms")
    finally:
        server.stop()


def measure(binaries, folder):
    folder = pathlib.Path(folder)
    ingest(binaries, folder)
    (folder / "log").mkdir()
    server = bench.Server(binaries, folder / "log")
    server.start()
    try:
        tokens = populate(server)
        begin = time.monotonic()
        Operator(server).settle()
        bench.row("the views catch up after loading, in", time.monotonic() - begin, "s")
        reads(server, tokens)
        rebuilds(binaries, server)
        bench.row("the server, resident", bench.resident(server.process.pid), "MB")
    finally:
        server.stop()
