"""Judges the configuration that the example gives the instance, by 'crowbar check', and the unit by systemd's own tools.
usage: configuration_judge.py PROGRAMS PORT: the folder of the build's programs, and a free port."""

import base64
import gzip
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(HERE + "/../../..")
sys.path.insert(0, HERE)
import world

checked = 0


def expect(condition, what):
    global checked
    checked += 1
    if not condition:
        sys.exit(f"not so: {what}")


def files(script):
    """What the user data writes, by path."""
    found = {}
    for match in re.finditer(r"^text (?:>|<<'END' .*>)(/\S+)(?: <<'END')?\n([A-Za-z0-9+/=]*)\nEND$", script, re.M):
        found[match.group(1)] = base64.b64decode(match.group(2), validate=True).decode()
    return found


def configuration(programs, port):
    state = world.World().apply("example", world.ARGUMENTS)
    script = gzip.decompress(base64.b64decode(state.one("module.host.aws_instance.host")["user_data_base64"])).decode()
    written = files(script)
    expect(
        {"/etc/crowbar/crowbar.toml", "/etc/crowbar/plugins.d/aws.toml", "/etc/systemd/system/crowbar.service"}
        <= set(written),
        f"the files: {sorted(written)}",
    )
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        # The same texts, with this folder in the place of the machine's.
        places = {
            "/var/lib/crowbar/data": folder + "/data",
            "/etc/crowbar": folder + "/etc",
            "/run/crowbar-aws": folder + "/run",
            "/run/credentials/crowbar.service/secrets_": folder + "/etc/secrets/",
            "0.0.0.0:8080": f"127.0.0.1:{port}",
            "PRIVATE_DNS": "ip-10-20-1-10.eu-central-1.compute.internal",
        }
        # Where the tests run as root, plugins are users of their own.
        os.chmod(folder, 0o755)
        os.makedirs(folder + "/etc/plugins.d")
        os.makedirs(folder + "/etc/secrets")
        os.makedirs(folder + "/run")
        with open(folder + "/etc/secrets/oidc.secret", "w") as file:
            file.write("secret\n")
        with open(folder + "/run/credentials", "w") as file:
            file.write("[default]\naws_access_key_id = A\naws_secret_access_key = B\naws_session_token = C\n")
        for path, text in written.items():
            if path.startswith("/etc/crowbar/"):
                for old, new in places.items():
                    text = text.replace(old, new)
                with open(path.replace("/etc/crowbar", folder + "/etc"), "w") as file:
                    file.write(text)

        def check():
            return subprocess.run(
                [programs + "/crowbar", "check", "--config", folder + "/etc/crowbar.toml"],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
                env={"PATH": programs + ":/usr/bin:/bin", "HOME": folder},
            )

        ended = check()
        expect(ended.returncode == 0, f"'crowbar check' accepts the configuration:\n{ended.stdout}")
        with open(folder + "/etc/crowbar.toml", "a") as file:
            file.write("unknown = 1\n")
        expect(check().returncode != 0, "'crowbar check' refuses a mistake")


def unit():
    path = ROOT + "/deploy/systemd/crowbar.service"
    # The threshold is in tenths: 2.0.
    ended = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", path],
        capture_output=True,
        text=True,
        timeout=60,
    )
    expect(ended.returncode == 0, f"the unit's exposure is 2.0 at most:\n{ended.stdout[-400:]}{ended.stderr}")
    with open(path) as file:
        text = file.read()
    with tempfile.TemporaryDirectory() as folder:
        weak = folder + "/crowbar.service"
        with open(weak, "w") as file:
            file.write("".join(line for line in text.splitlines(True) if "SystemCallFilter" not in line))
        ended = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--threshold=20", weak], capture_output=True, timeout=60
        )
        expect(ended.returncode != 0, "a unit without a filter is refused")
        # With a program in the place of crowbar's, systemd finds nothing else wrong: no unknown key, no value that it ignores.
        whole = folder + "/whole/crowbar.service"
        os.mkdir(folder + "/whole")
        with open(whole, "w") as file:
            file.write(text.replace("/usr/bin/crowbar", "/bin/true"))
        ended = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", whole], capture_output=True, text=True, timeout=60
        )
        said = [line for line in (ended.stdout + ended.stderr).splitlines() if "crowbar.service" in line]
        expect(not said, f"systemd-analyze verify: {said}")
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(root + "/etc")
        for kind, tool in (("sysusers", "systemd-sysusers"), ("tmpfiles", "systemd-tmpfiles")):
            command = [
                tool,
                f"--root={root}",
                *(["--create"] if kind == "tmpfiles" else []),
                f"{ROOT}/deploy/systemd/crowbar.{kind}",
            ]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
            expect(ended.returncode == 0, f"{tool}: {ended.stderr}")
        with open(root + "/etc/passwd") as file:
            user = re.search(r"^crowbar:[^:]*:(\d+):.*:/var/lib/crowbar:", file.read(), re.M)
        expect(user, "the user crowbar is made")
        expect(os.stat(root + "/etc/crowbar/secrets").st_mode & 0o777 == 0o700, "the folder of secrets is root's alone")
        state = os.stat(root + "/var/lib/crowbar")
        expect(
            (state.st_mode & 0o777, os.geteuid() or state.st_uid) == (0o700, os.geteuid() or int(user.group(1))),
            "the server's folder is its own",
        )


def main():
    unit()
    configuration(sys.argv[1], sys.argv[2])
    print(f"judged: {checked}")


main()
