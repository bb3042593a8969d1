"""Judges the container image: buildah builds it by the Containerfile, and it is run as an engine runs it.
usage: container_judge.py PROGRAMS: the folder with the programs of 'script/package --programs'. Needs root, buildah,
mmdebstrap and the machine's apt sources.

There is no registry and no engine here. The base images are made by mmdebstrap. In the image for the build a stand-in for
the compiler hands out the programs, so the build's steps run as they are written, but do not compile. The image is run by
this program: as process 1 of new process, mount, network and IPC namespaces, with the image's user, folder and command,
without privileges, and with a root file system that is read-only. An engine's seccomp profile is not judged."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(HERE + "/../../..")
DEADLINE = 90
checked = 0
COMPILER = """#!/bin/sh
case "$*" in *--show-bin-path*) echo /prebuilt ;; *"--static-swift-stdlib"*) ;; *) exit 64 ;; esac
"""


def expect(condition, what):
    global checked
    checked += 1
    if not condition:
        sys.exit(f"not so: {what}")


def run(*command, **options):
    ended = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
        **options,
    )
    if ended.returncode != 0:
        sys.exit(f"not so: {' '.join(command)[:300]} succeeds:\n{ended.stdout[-4000:]}")
    return ended.stdout.strip()


class Builder:
    """buildah with a store of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.options = ["--root", folder + "/store", "--runroot", folder + "/run", "--storage-driver", "vfs"]

    def __call__(self, command, *arguments, **options):
        isolation = ["--isolation", "chroot"] if command in ("bud", "run") else []
        return run("buildah", *self.options, command, *isolation, *arguments, **options)

    def bases(self, programs):
        """The image that the container's own begins with, and the one that it is built in."""
        with open("/etc/os-release") as file:
            suite = re.search(r"^VERSION_CODENAME=(\w+)$", file.read(), re.M).group(1)
        sources = "/etc/apt/sources.list.d/debian.sources"
        if not os.path.exists(sources):
            sources = "/etc/apt/sources.list"
        base = self.folder + "/base.tar"
        run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", suite, base, sources)
        container = self("from", "scratch").splitlines()[-1]
        self("add", container, base, "/")
        self("commit", "--rm", container, "localhost/crowbar-test-base")
        os.remove(base)
        container = self("from", "localhost/crowbar-test-base").splitlines()[-1]
        self("copy", container, programs, "/prebuilt/")
        with open(self.folder + "/swift", "w") as file:
            file.write(COMPILER)
        os.chmod(self.folder + "/swift", 0o755)
        self("copy", container, self.folder + "/swift", "/usr/bin/swift")
        self("commit", "--rm", container, "localhost/crowbar-test-build")

    def image(self):
        self(
            *(
                "bud",
                "--format",
                "docker",
                "--file",
                ROOT + "/deploy/container/Containerfile",
                "--tag",
                "localhost/crowbar-test",
            ),
            *(
                "--build-arg",
                "BUILD_IMAGE=localhost/crowbar-test-build",
                "--build-arg",
                "RUN_IMAGE=localhost/crowbar-test-base",
            ),
            ROOT,
        )
        return json.loads(self("inspect", "--type", "image", "localhost/crowbar-test"))["Docker"]["config"]


class Container:
    """What an engine makes of the image and a volume."""

    def __init__(self, root, volume, config, log):
        self.root, self.volume, self.config, self.log = root, volume, config, log

    def setup(self):
        """The script that makes the root and runs a command in it, as process 1."""
        user, group = self.config["User"].split(":")
        return f"""
            set -e
            mount --bind "{self.root}" "{self.root}"
            mount --bind "{self.volume}" "{self.root}{next(iter(self.config["Volumes"]))}"
            mount -t proc proc "{self.root}/proc"
            mount -t tmpfs tmpfs "{self.root}/tmp"
            mount -t tmpfs tmpfs "{self.root}/dev"
            for node in null:3 zero:5 full:7 random:8 urandom:9; do
                mknod -m 666 "{self.root}/dev/${{node%:*}}" c 1 "${{node#*:}}"
            done
            ln -s /proc/self/fd "{self.root}/dev/fd"
            mount -o remount,bind,ro "{self.root}"
            python3 -c 'import fcntl, socket, struct
            fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 1))'
            exec chroot "{self.root}" \\
                setpriv --reuid={user} --regid={group} --clear-groups --no-new-privs --bounding-set=-all \\
                sh -c 'cd "$1"; shift; exec "$@"' sh "{self.config["WorkingDir"]}" "$@"
        """.replace("\n            ", "\n")

    def start(self):
        command = self.config["Entrypoint"] + self.config["Cmd"]
        environment = dict(pair.split("=", 1) for pair in self.config["Env"])
        with open(self.log, "a") as output:
            self.process = subprocess.Popen(
                [
                    *(
                        "unshare",
                        "--mount",
                        "--pid",
                        "--net",
                        "--ipc",
                        "--fork",
                        "--kill-child",
                        "--propagation",
                        "private",
                    ),
                    *("bash", "-c", self.setup(), "bash", *command),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )
        end = time.monotonic() + DEADLINE
        # 'unshare' forks; its child is process 1 of the container.
        while (ended := self.exec(*self.health)) is None or ended[0] != 0:
            expect(
                self.process.poll() is None and time.monotonic() < end,
                f"the container starts: {ended} {self.text[-3000:]}",
            )
            time.sleep(0.1)

    @property
    def text(self):
        with open(self.log) as file:
            return file.read()

    @property
    def health(self):
        kind, *command = self.config["Healthcheck"]["Test"]
        expect(kind == "CMD", "the health check needs no shell")
        return command

    @property
    def first(self):
        """The container's process 1, as this machine numbers it."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            return file.read().split()

    def exec(self, *command):
        """The status and the output of a command in the container, as 'docker exec' runs it."""
        if not self.first:
            return None
        user, group = self.config["User"].split(":")
        rights = [
            "setpriv",
            f"--reuid={user}",
            f"--regid={group}",
            "--clear-groups",
            "--no-new-privs",
            "--bounding-set=-all",
        ]
        shell = ["sh", "-c", 'cd "$1"; shift; exec "$@"', "sh", self.config["WorkingDir"]]
        ended = subprocess.run(
            [
                "nsenter",
                "--target",
                self.first[0],
                "--mount",
                "--pid",
                "--net",
                "--ipc",
                "chroot",
                self.root,
                *rights,
                *shell,
                *command,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        return ended.returncode, ended.stdout

    def stop(self, name):
        """Sends the image's signal to process 1, as 'docker stop' does, and returns its status."""
        os.kill(int(self.first[0]), getattr(signal, name))
        return self.process.wait(45)


MANIFEST = """
command = ["sh", "-c", '''
while read -r line; do case $line in
    *hello*) echo '{"type":"ready","protocol":1,"name":"p","version":"1"}';;
    *drain*) echo '{"type":"drained"}'; exit 0;;
esac; done
''']
"""


def judge(builder, folder):
    config = builder.image()
    expect(config["User"] == "10001:10001", "the image's user is not root")
    expect(
        config["StopSignal"] in ("SIGTERM", "15") and "/var/lib/crowbar" in config["Volumes"],
        f"signal and volume: {config}",
    )
    made = builder("from", "localhost/crowbar-test").splitlines()[-1]
    root = builder("mount", made)
    size = sum(os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(root) for name in names)
    print(f"the image's files: {size >> 20} MiB")
    for name in ("swift", "prebuilt", "source"):
        expect(
            not os.path.exists(f"{root}/{name}") and not os.path.exists(f"{root}/usr/bin/{name}"),
            f"no {name} in the image",
        )
    found = run("find", root, "-xdev", "-name", "libswift*")
    expect(found == "", f"no Swift runtime in the image: {found}")

    # An engine gives a new volume the owner and the mode of the image's folder.
    volume = folder + "/volume"
    os.mkdir(volume)
    owner = os.stat(root + "/var/lib/crowbar")
    os.chown(volume, owner.st_uid, owner.st_gid)
    os.chmod(volume, owner.st_mode & 0o7777)
    expect((owner.st_uid, owner.st_mode & 0o7777) == (10001, 0o700), "the volume belongs to the image's user alone")
    with open(root + "/etc/crowbar/plugins.d/p.toml", "w") as file:
        file.write(MANIFEST)

    container = Container(root, volume, config, folder + "/log")
    container.start()
    expect(container.exec("id", "-u") == (0, "10001\n"), "the container's user is not root")
    status, said = container.exec("sh", "-c", "echo x >/etc/crowbar/x")
    expect(
        status != 0 and "Read-only file system" in said or "Permission denied" in said,
        f"nothing else can be written: {said}",
    )
    with open(f"/proc/{container.first[0]}/comm") as file:
        expect(file.read() == "crowbar\n", "the server is process 1")
    expect(container.exec("crowbar", "channel", "add", "general")[0] == 0, "verbs need no --config")
    expect(container.exec("crowbar", "send", "general", "kept in the volume")[0] == 0, "a message is accepted")
    end = time.monotonic() + DEADLINE
    while (plugins := container.exec("crowbar", "plugins", "--check"))[0] != 0:
        expect(time.monotonic() < end, f"the plugin runs: {plugins}")
        time.sleep(0.1)
    print(container.exec("crowbar", "check")[1])
    status, said = container.exec("crowbar", "backup", "/var/lib/crowbar/backup-1")
    expect(status == 0, f"a backup is made: {said}")
    expect(container.stop(config["StopSignal"]) == 0, f"the signal ends the server in order: {container.text[-2000:]}")

    container.start()
    status, said = container.exec("crowbar", "events", "export")
    expect(status == 0 and "kept in the volume" in said, "the data is kept")
    expect(container.stop("SIGKILL") != 0, "a kill is a kill")
    container.start()
    expect(container.exec(*container.health) == (0, "ready\n"), "the health check succeeds")
    expect(container.stop("SIGTERM") == 0, "and the server ends in order again")


def main():
    if os.geteuid() != 0:
        sys.exit("this needs root")
    if len(sys.argv) != 3 or sys.argv[1] != "inside":
        programs = os.path.abspath(sys.argv[1])
        command = [sys.executable, "-I", os.path.abspath(__file__), "inside", programs]
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", *command])
    folder = tempfile.mkdtemp(prefix="crowbar-container-", dir="/var/tmp")
    os.chmod(folder, 0o755)
    builder = Builder(folder)
    try:
        builder.bases(sys.argv[2])
        judge(builder, folder)
        print(f"judged: {checked}")
    finally:
        subprocess.run(["buildah", *builder.options, "umount", "--all"], check=False, stdout=subprocess.DEVNULL)
        subprocess.run(["buildah", *builder.options, "rm", "--all"], check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


main()
