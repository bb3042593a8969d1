"""Durable commands over HTTP by 64 connections, in turn with single-row inserts into PostgreSQL by 64 clients.

Both wait for the disk before they answer: Crowbar syncs its log, PostgreSQL has fsync and synchronous_commit on. Both
keep their files in the same folder, and no two of them run at the same time.
"""
import json
import os
import pathlib
import pwd
import re
import shutil
import statistics
import subprocess

from run import SECONDS, Server, free_port, requests_per_second, row, ticks, wrk_script

TURNS = 5
CLIENTS = 64
EVENT = json.dumps({"type": "MESSAGE_SENT", "eventId": "01890a5d-ac96-774b-bcce-b302099a8057", "channelId": "general",
                    "userId": "ann", "timestamp": 1763900000000,
                    "message": "the quick brown fox jumps over the lazy dog"})
TABLE = """CREATE TABLE events (position bigserial PRIMARY KEY, timestamp bigint NOT NULL, type smallint NOT NULL,
    "channelId" text, "userId" text NOT NULL, json text NOT NULL)"""
INSERT = f"""INSERT INTO events (timestamp, type, "channelId", "userId", json)
    VALUES (1763900000000, 7, 'general', 'ann', '{EVENT}')""".replace("\n", " ")


def programs():
    """The folder of PostgreSQL's programs, the newest of Debian's, else the one in PATH."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    if initdb is None:
        raise SystemExit("commands: needs PostgreSQL (apt-get install postgresql)")
    return pathlib.Path(initdb).parent


class Postgres:
    """A PostgreSQL server of its own in a folder, reached by a Unix socket."""

    def __init__(self, folder):
        self.bin, self.folder, self.port = programs(), pathlib.Path(folder), free_port()
        self.folder.mkdir()
        # It refuses to run as root.
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            os.chown(self.folder, pwd.getpwnam(self.user).pw_uid, -1)
            os.chmod(self.folder.parent, 0o755)

    def run(self, *arguments, **options):
        prefix = ["runuser", "-u", self.user, "--"] if os.geteuid() == 0 else []
        return subprocess.run(
            [*prefix, *map(str, arguments)], cwd=self.folder, check=True, text=True, **options)

    def start(self):
        self.run(self.bin / "initdb", "-D", self.folder / "data", "-A", "trust", "-E", "UTF8", "--no-locale",
                 stdout=subprocess.DEVNULL)
        options = f"-p {self.port} -k {self.folder} -c listen_addresses= -c fsync=on -c synchronous_commit=on"
        self.run(self.bin / "pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-o", options,
                 "start", stdout=subprocess.DEVNULL)
        self.run(self.bin / "psql", "-q", "-h", self.folder, "-p", self.port, "-d", "postgres", "-c", TABLE)
        (self.folder / "insert.sql").write_text(INSERT + ";\n")

    def stop(self):
        self.run(self.bin / "pg_ctl", "-D", self.folder / "data", "-m", "fast", "-w", "stop",
                 stdout=subprocess.DEVNULL)

    def inserts_per_second(self):
        result = self.run(
            self.bin / "pgbench", "-n", "-M", "prepared", "-c", CLIENTS, "-j", 2, "-T", SECONDS,
            "-f", self.folder / "insert.sql", "-h", self.folder, "-p", self.port, "postgres", capture_output=True)
        return float(re.search(r"^tps = ([0-9.]+)", result.stdout, re.MULTILINE)[1])


def measure(binaries, folder):
    server, postgres = Server(binaries, folder), Postgres(pathlib.Path(folder) / "postgres")
    postgres.start()
    try:
        server.start()
        try:
            server.prepare()
            script = wrk_script(server)
            commands, inserts, processor, bare = [], [], [], []
            for _ in range(TURNS):
                before = ticks(server.process.pid)
                rate = requests_per_second("-s", str(script), f"{server.url}/api/commands")
                used = (ticks(server.process.pid) - before) / os.sysconf("SC_CLK_TCK")
                commands.append(rate)
                processor.append(used / (rate * SECONDS) * 1e6)
                inserts.append(postgres.inserts_per_second())
                # What the HTTP server takes with nothing behind it: no command can be faster.
                bare.append(requests_per_second(f"{server.url}/healthz"))
            ratios = sorted(one / other for one, other in zip(commands, inserts))
            row("durable commands over HTTP, 64 connections", statistics.median(commands), "/s",
                statistics.median(inserts), "inserts into PostgreSQL")
            print(f"{'':44} {statistics.median(ratios):.2f} in the median of {TURNS} turns, "
                  f"{ratios[0]:.2f} to {ratios[-1]:.2f}; "
                  f"{statistics.median(processor):.0f} µs of processor a command", flush=True)
            row("GET /healthz, 64 connections", statistics.median(bare), "/s", statistics.median(inserts),
                "inserts into PostgreSQL")
        finally:
            server.stop()
    finally:
        postgres.stop()
