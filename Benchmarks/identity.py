"""script/bench identity: what sign-ins by password cost the others, and what a JWT of an OpenID provider costs as a bearer."""
import base64
import contextlib
import http.client
import json
import statistics
import subprocess
import threading
import time

from __main__ import RUNS, SECONDS, Server, resident, row

# Sign-ins at once, and the accounts that they are of.
LOGINS = 64
ACCOUNTS = 8
# Commands a second meanwhile, measured with sign-ins and without, in turn.
RATE = 500
PAIRS = 5
# Calls with each kind of bearer.
CALLS = 2_000
# What sign-ins may cost: the server's memory in MB, the 99th percentile of commands beside them as compared with beside a
# loop of the lowest priority, and the processor time of a JWT in microseconds, remembered and verified.
RESIDENT, SLOWER, REMEMBERED, VERIFIED = 120, 1.2, 100, 1_000
ISSUER = "https://accounts.example.org"
PASSWORD = "correct horse battery staple"


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """An RSA key of 2,048 bits, by openssl(1)."""

    def __init__(self, folder):
        self.path = folder / "key.pem"
        subprocess.run(["openssl", "genrsa", "-out", self.path, "2048"], check=True, capture_output=True)
        text = subprocess.run(
            ["openssl", "rsa", "-in", self.path, "-noout", "-modulus"], check=True, capture_output=True, text=True).stdout
        modulus = encode(bytes.fromhex(text.strip().partition("=")[2]))
        (folder / "jwks.json").write_text(json.dumps(
            {"keys": [{"kty": "RSA", "kid": "k", "use": "sig", "alg": "RS256", "n": modulus, "e": "AQAB"}]}))

    def token(self, number):
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "crowbar", "sub": "ann", "iat": now, "exp": now + 3600, "jti": str(number)}
        signed = ".".join(encode(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "k"}, claims))
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self.path], input=signed.encode(), check=True, capture_output=True)
        return signed + "." + encode(signature.stdout)


def judge(name, figure, unit, limit, beside=""):
    """Prints a figure with its limit."""
    verdict = "within the limit of" if figure <= limit else "OVER THE LIMIT of"
    print(f"{name:44} {figure:12,.2f} {unit:9} {verdict} {limit:,}{f'; {beside}' if beside else ''}", flush=True)


def processor(pid):
    """The processor time of all threads of a process, in seconds. Its clock has this number (clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def configure(server):
    (server.folder / "crowbar.toml").write_text(
        f'[http]\nlisten = "127.0.0.1:{server.port}"\ntrusted_proxies = ["127.0.0.1"]\n'
        f'[auth]\nregistration = "open"\n[auth.oidc]\nissuer = "{ISSUER}"\nclient_id = "crowbar"\njwks = "jwks.json"\n'
        f'authorize = "{ISSUER}/authorize"\ntoken = "{ISSUER}/token"\n')


def post(server, path, body, address):
    """A call from an address: the limits of sign-ins count by it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request(
        "POST", path, json.dumps(body), {"content-type": "application/json", "x-forwarded-for": address})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data


def commands(binaries, server):
    """The 99th percentile of commands at a fixed rate, in milliseconds."""
    body = json.dumps({"type": "SEND_MESSAGE", "channelId": "general", "message": "the quick brown fox"})
    output = subprocess.run(
        [binaries / "crowbar-bench-rate", str(server.port), server.token, str(RATE), str(SECONDS), body],
        capture_output=True, text=True, check=True).stdout.split()
    if int(output[1]):
        raise SystemExit(f"{output[1]} commands were refused")
    return float(output[3])


@contextlib.contextmanager
def lowest_priority_loop():
    """Keeps one processor busy as far as nobody else wants it."""
    loop = subprocess.Popen(["nice", "-n", "19", "sh", "-c", "while :; do :; done"])
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


class SignIns:
    """Signs in again and again, as many at once as are wanted."""

    def __init__(self, server):
        self.server, self.over, self.done, self.busy, self.wrong = server, threading.Event(), 0, 0, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(LOGINS)]

    def run(self, number):
        user, address = f"user{number % ACCOUNTS}", f"10.2.{number}.1"
        while not self.over.is_set():
            status, data = post(self.server, "/api/login", {"userId": user, "password": PASSWORD}, address)
            with self.lock:
                self.done += status == 200
                self.busy += status == 503
                if status not in (200, 503):
                    self.wrong.append((status, data[:200]))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        if self.wrong:
            raise SystemExit(f"a sign-in failed: {self.wrong[0]}")


def passwords(binaries, server, _):
    for number in range(ACCOUNTS):
        body = {"userId": f"user{number}", "name": f"User {number}", "password": PASSWORD}
        status, data = post(server, "/api/register", body, f"10.1.{number}.1")
        if status >= 300:
            raise SystemExit(f"no registration: {status} {data[:200]}")
    taken, rates, busy = {"alone": [], "loop": [], "sign-ins": []}, [], 0
    commands(binaries, server)
    for turn in range(PAIRS):
        # Each is the first of some turns, so that none has the warmer or the quieter machine.
        for kind in [*taken, *taken][turn % 3:turn % 3 + 3]:
            begin = time.monotonic()
            if kind == "alone":
                taken[kind].append(commands(binaries, server))
            elif kind == "loop":
                with lowest_priority_loop():
                    taken[kind].append(commands(binaries, server))
            else:
                with SignIns(server) as sign_ins:
                    taken[kind].append(commands(binaries, server))
                rates.append(sign_ins.done / (time.monotonic() - begin))
                busy += sign_ins.busy
    medians = {kind: statistics.median(figures) for kind, figures in taken.items()}
    ratios = [a / b for a, b in zip(taken["sign-ins"], taken["loop"])]
    judge(f"commands at {RATE}/s, p99 beside {LOGINS} sign-ins", statistics.median(ratios), "times", SLOWER,
          "as long as beside a loop of nice 19; medians " + ", ".join(f"{kind} {value:.2f} ms" for kind, value in medians.items())
          + "; turns " + " ".join(f"{ratio:.2f}" for ratio in ratios))
    row("sign-ins by password", statistics.median(rates), "/s", what=f"{LOGINS} at once; {busy} got 503")
    judge("the server meanwhile, most resident", resident(server.process.pid, "VmHWM"), "MB", RESIDENT,
          f"{resident(server.process.pid):.0f} MB after it")


def cost(server, bearers):
    """Processor time of a call with each of these bearers in turn, in microseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    before = processor(server.process.pid)
    for bearer in bearers:
        connection.request("GET", "/api/events?limit=1", headers={"authorization": "Bearer " + bearer})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise SystemExit(f"a bearer was refused: {answer.status} {data[:200]}")
    connection.close()
    return (processor(server.process.pid) - before) / len(bearers) * 1e6


def bearers(_, server, key):
    tokens = [key.token(number) for number in range(RUNS * CALLS)]
    own, remembered, verified = [], [], []
    cost(server, [key.token("first")])
    for run in range(RUNS):
        own.append(cost(server, [server.token] * CALLS))
        remembered.append(cost(server, [tokens[run * CALLS]] * CALLS))
        verified.append(cost(server, tokens[run * CALLS + 1:(run + 1) * CALLS]))
    for name, costs, limit in (("remembered", remembered, REMEMBERED), ("verified", verified, VERIFIED)):
        more = statistics.median(a - b for a, b in zip(costs, own))
        judge(f"a JWT as a bearer, {name}", more, "µs", limit,
              f"processor time more than a token of Crowbar, which has {statistics.median(own):.0f} µs a call")


def measure(binaries, folder):
    for measured in (passwords, bearers):
        # Each has a server of its own: memory that one uses is not the other's.
        server = Server(binaries, f"{folder}/{measured.__name__}")
        key = Key(server.folder)
        configure(server)
        server.start()
        try:
            server.prepare()
            measured(binaries, server, key)
        finally:
            server.stop()
