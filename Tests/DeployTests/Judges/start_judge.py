"""Runs the instance's start script (user data) to its end, in a copy-on-write view of this machine: real bash, tar, sha256sum and
systemd-sysusers; what needs AWS or hardware is a program that records its calls. Needs root, for the mounts."""

import base64
import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import world

checked = 0
PROGRAMS = ["crowbar", "crowbar-launch", "crowbar-irc", "crowbar-webhook", "crowbar-aws"]
# Programs by name. $STATE is a folder of the test's; each call is a line of $STATE/calls.
FAKES = {
    "apt-get": "",
    "systemctl": "",
    "mount": "",
    "sleep": "exit 0",
    "mkfs.ext4": "touch $STATE/formatted",
    "blkid": """case "$*" in
        *TYPE*) [ -e $STATE/formatted ] || exit 2; echo ext4 ;;
        *UUID*) echo 0b1c2d3e ;;
    esac""",
    # The first call fails, as before the role's policies hold everywhere.
    "aws": """if ! [ -e $STATE/allowed ]; then touch $STATE/allowed; exit 254; fi
    case "$1 $2" in
        "s3 cp") cp $STATE/crowbar.tar.gz "$5" ;;
        "ssm get-parameter") echo "value of $5" ;;
    esac""",
    "curl": """case "$*" in
        *PUT*api/token) printf TOKEN ;;
        *"token: TOKEN"*local-hostname) printf ip-10-20-1-77.eu-central-1.compute.internal ;;
        *) exit 22 ;;
    esac""",
}


def expect(condition, what):
    global checked
    checked += 1
    if not condition:
        sys.exit(f"not so: {what}")


def archive():
    """A release whose programs say their names."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as file:
        for name in PROGRAMS + ["unwanted"]:
            text = f"#!/bin/sh\necho {name}\n".encode()
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uid = len(text), 0o755, 1000
            file.addfile(member, io.BytesIO(text))
    return data.getvalue()


class Machine:
    """A view of this machine in which writes go to memory; it is gone with the mount namespace."""

    def __init__(self, folder, release):
        self.root = folder + "/root"
        for name in ("memory", "root"):
            os.mkdir(f"{folder}/{name}")
        mount("-t", "tmpfs", "tmpfs", folder + "/memory")
        for name in ("upper", "work"):
            os.mkdir(f"{folder}/memory/{name}")
        options = f"lowerdir=/,upperdir={folder}/memory/upper,workdir={folder}/memory/work"
        mount("-t", "overlay", "overlay", "-o", options, self.root)
        for name in ("tmp", "dev", "var/lib", "etc/crowbar"):
            os.makedirs(f"{self.root}/{name}", exist_ok=True)
            mount("-t", "tmpfs", "tmpfs", f"{self.root}/{name}")
        os.chmod(self.root + "/tmp", 0o1777)
        for name, number in (("null", 3), ("urandom", 9)):
            os.mknod(f"{self.root}/dev/{name}", 0o20666, os.makedev(1, number))
        os.symlink("/proc/self/fd", self.root + "/dev/fd")
        mount("-t", "proc", "proc", self.root + "/proc")
        self.state = self.root + "/state"
        os.makedirs(self.state + "/bin")
        for name, text in FAKES.items():
            path = f"{self.state}/bin/{name}"
            with open(path, "w") as file:
                file.write(f'#!/bin/bash\nSTATE=/state\necho "{name} $*" >>$STATE/calls\n{text}\n')
            os.chmod(path, 0o755)
        with open(self.state + "/crowbar.tar.gz", "wb") as file:
            file.write(release)

    def attach(self):
        """The volume: a block device by the name that NVMe devices of EBS have."""
        os.makedirs(self.root + "/dev/disk/by-id")
        os.mknod(
            self.root + "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol00000000000000", 0o60600, os.makedev(7, 99)
        )

    def run(self, script):
        with open(self.state + "/script", "w") as file:
            file.write(script)
        open(self.state + "/calls", "w").close()
        return subprocess.run(
            ["chroot", self.root, "/bin/bash", "/state/script"],
            env={"PATH": "/state/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )

    @property
    def calls(self):
        return self.read("/state/calls").splitlines()

    def read(self, path):
        with open(self.root + path) as file:
            return file.read()

    def stat(self, path):
        return os.stat(self.root + path)

    def mode(self, path):
        return self.stat(path).st_mode & 0o7777


def mount(*arguments):
    subprocess.run(["/bin/mount", *arguments], check=True, stdin=subprocess.DEVNULL)


def main():
    if os.geteuid() != 0:
        sys.exit("this needs root")
    if sys.argv[1:] != ["inside"]:
        # A mount namespace of its own: all mounts end with it.
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, "-I", __file__, "inside"])
    release = archive()
    arguments = world.ARGUMENTS | {
        "release": {"uri": "s3://chat-example-releases/crowbar.tar.gz", "sha256": hashlib.sha256(release).hexdigest()}
    }
    state = world.World().apply("example", arguments)
    data = state.one("module.host.aws_instance.host")["user_data_base64"]
    script = gzip.decompress(base64.b64decode(data)).decode()
    volume = state.one("module.host.aws_ebs_volume.data")["id"]
    expect(f'"{volume}"' in script, "the script names the volume")
    script = script.replace(volume, "vol-00000000000000")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        machine = Machine(folder, release)
        try:
            judge(machine, script)
        finally:
            subprocess.run(["umount", "-R", machine.root], check=False)
            subprocess.run(["umount", folder + "/memory"], check=False)
    print(f"judged: {checked}")


def judge(machine, script):
    ended = machine.run(script)
    expect(ended.returncode != 0 and "is not attached" in ended.stdout, f"without the volume it stops:\n{ended.stdout}")
    expect(not any("mkfs" in call or "systemctl" in call for call in machine.calls), "and formats and starts nothing")

    machine.attach()
    ended = machine.run(script)
    calls = machine.calls
    expect(ended.returncode == 0, f"it runs to its end:\n{ended.stdout}")
    expect(calls.count("mount /var/lib/crowbar") == 1, "the volume is mounted")
    expect(len([c for c in calls if c.startswith("mkfs")]) == 1, "an empty volume is formatted")
    expect("UUID=0b1c2d3e /var/lib/crowbar ext4" in machine.read("/etc/fstab"), "and stands in fstab")
    expect(
        calls[-4:]
        == [
            "systemctl daemon-reload",
            "systemctl enable --now crowbar-credentials.timer",
            "systemctl start crowbar-credentials.service",
            "systemctl enable --now crowbar.service",
        ],
        f"the services start last: {calls[-4:]}",
    )
    for name in PROGRAMS:
        expect(
            f"echo {name}\n" in machine.read("/usr/bin/" + name) and machine.mode("/usr/bin/" + name) == 0o755,
            f"{name} is there",
        )
        expect(machine.stat("/usr/bin/" + name).st_uid == 0, f"{name} is root's")
    expect(not os.path.exists(machine.root + "/usr/bin/unwanted"), "nothing else of the archive is")
    configuration = machine.read("/etc/crowbar/crowbar.toml")
    expect(
        '"ip-10-20-1-77.eu-central-1.compute.internal"' in configuration and "PRIVATE_DNS" not in configuration,
        "the instance's name is in hosts",
    )
    expect(machine.mode("/etc/crowbar/crowbar.toml") == 0o644, "the configuration can be read by the server")
    expect('command  = ["crowbar-aws"]' in machine.read("/etc/crowbar/plugins.d/aws.toml"), "the manifest is there")
    secret = "/etc/crowbar/secrets/oidc.secret"
    expect(machine.read(secret) == "value of /crowbar/oidc.secret\n", f"the secret is there: {machine.read(secret)!r}")
    expect(machine.mode(secret) == 0o600 and machine.mode("/etc/crowbar/secrets") == 0o700, "and root's alone")
    expect("value of" not in ended.stdout, "and not in the log of the start")
    with open(world.ROOT + "/deploy/systemd/crowbar.service") as file:
        expect(machine.read("/etc/systemd/system/crowbar.service") == file.read(), "the unit is that of the repository")
    with open(world.ROOT + "/deploy/terraform/host/files/crowbar-credentials") as file:
        expect(machine.read("/usr/bin/crowbar-credentials") == file.read(), "so is the credentials program")
    expect(machine.mode("/usr/bin/crowbar-credentials") == 0o755, "which can run")
    users = {line.split(":")[0]: line.split(":") for line in machine.read("/etc/passwd").splitlines()}
    expect(machine.stat("/var/lib/crowbar").st_uid == int(users["crowbar"][2]), "the data folder is crowbar's")
    for unit in ("crowbar-credentials.service", "crowbar-credentials.timer"):
        path = f"/etc/systemd/system/{unit}"
        ended = subprocess.run(
            ["chroot", machine.root, "systemd-analyze", "verify", "--man=no", path],
            capture_output=True,
            text=True,
            timeout=60,
        )
        said = [line for line in (ended.stdout + ended.stderr).splitlines() if unit in line]
        expect(not said, f"systemd-analyze verify {unit}: {said}")

    # Another instance takes the volume over: it is not formatted again, and its files get the new number of the user.
    os.makedirs(machine.root + "/var/lib/crowbar/data")
    for path in ("", "/data"):
        os.chown(machine.root + "/var/lib/crowbar" + path, 4711, 4711)
    ended = machine.run(script)
    expect(
        ended.returncode == 0 and not any("mkfs" in call for call in machine.calls),
        f"a volume with data stays:\n{ended.stdout}",
    )
    expect(machine.stat("/var/lib/crowbar/data").st_uid == int(users["crowbar"][2]), "and is crowbar's again")

    # A release that was changed is not installed.
    shutil.copy("/bin/true", machine.root + "/usr/bin/crowbar")
    with open(machine.state + "/crowbar.tar.gz", "ab") as file:
        file.write(b"x")
    ended = machine.run(script)
    expect(ended.returncode != 0 and "did NOT match" in ended.stdout, f"another release is refused:\n{ended.stdout}")
    expect(not any("crowbar.service" in call for call in machine.calls), "and the server not started")


main()
