#!/usr/bin/env python3
"""A plugin that tries what its `config` says, notes in dataDir/seen what came of it, and then serves like any other.

read, write, run: lists of paths. connect: a port of 127.0.0.1. families: numbers of socket families. open: how many files.
hog: megabytes to fill. spawn: how many children. daemon = true: the same once more in a session of its own.
ipc = KEY: takes what others made of shared memory, semaphores and messages under this key and the queue /crowbar-KEY, and
makes its own under KEY + 1, /crowbar-KEY-own.
devices, procs: lists of paths of devices, and of folders where a proc file system is, which are attacked too.
attack = "/data": what a plugin must not do to its host and to that data folder, and under "may" what it must be able to.
"""
import ctypes
import errno
import fcntl
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time


def outcome(action):
    try:
        action()
        return "ok"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


def write(path):
    with open(path, "a") as file:
        file.write("x")


def attempt(config):
    found = {}
    for path in config.get("read", []):
        found["read " + path] = outcome(lambda: open(path, "rb").read(1))
    for path in config.get("write", []):
        found["write " + path] = outcome(lambda: write(path))
    for path in config.get("run", []):
        found["run " + path] = outcome(lambda: subprocess.run([path], check=False))
    for family in config.get("families", []):
        found[f"socket {family}"] = outcome(lambda: socket.socket(family, socket.SOCK_DGRAM).close())
    if "connect" in config:
        found["connect"] = outcome(lambda: socket.create_connection(("127.0.0.1", config["connect"])).close())
    if "ipc" in config:
        found |= shared(config["ipc"])
    if "signal" in config:
        found["signal"] = outcome(lambda: os.kill(os.getppid(), 0))
    return found


# Numbers of system calls on x86-64 and aarch64.
CALLS = {
    "prlimit64": (302, 261), "setpriority": (141, 140), "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118), "sched_setattr": (314, 274), "ioprio_set": (251, 30), "unshare": (272, 97),
    "clone": (56, 220), "clone3": (435, 435), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442), "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "bpf": (321, 280), "perf_event_open": (298, 241), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272), "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "io_uring_setup": (425, 425), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "swapon": (167, 224), "reboot": (169, 142), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "open": (2, -1), "creat": (85, -1), "openat": (257, 56), "openat2": (437, 437), "chmod": (90, -1),
    "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "mkdir": (83, -1), "mkdirat": (258, 34),
    "mknod": (133, -1), "mknodat": (259, 33),
    "quotactl": (179, 60), "acct": (163, 89), "personality": (135, 92), "syslog": (103, 116),
}
LIBC = ctypes.CDLL(None, use_errno=True)
NEW_USER, NEW_MOUNTS, ADDR_NO_RANDOMIZE, TIOCSTI, SCHED_CORE = 0x10000000, 0x20000, 0x40000, 0x5412, 62


def call(name, *arguments):
    number = CALLS[name][os.uname().machine == "aarch64"]
    if number < 0:
        return "ENOSYS"
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    ctypes.set_errno(0)
    if LIBC.syscall(number, *words) >= 0:
        return "ok"
    return errno.errorcode[ctypes.get_errno()]


def shared(key):
    """What the machine shares between processes, beside files: what others made of it, and what is made here."""
    make = 0o1666
    found = {}
    for name, rest in (("shmget", (4096, 0)), ("semget", (1, 0)), ("msgget", (0,))):
        found["take " + name] = call(name, key, *rest)
        found["make " + name] = call(name, key + 1, *rest[:-1], make)
    found["take mq_open"] = call("mq_open", b"crowbar-%d" % key, os.O_RDWR, 0, 0)
    found["make mq_open"] = call("mq_open", b"crowbar-%d-own" % key, os.O_RDWR | os.O_CREAT, 0o666, 0)
    found["queues"] = outcome(lambda: open(f"/dev/mqueue/crowbar-{key}").read())
    return found


def attacks_on_processes(pid, name):
    """What may be done to the host and to the launcher."""
    room = (ctypes.c_ulong * 16)()
    parameter = ctypes.c_int(0)
    # One processor, and a scheduler's attributes: size 48, batch.
    room[0] = 1
    attributes = (ctypes.c_uint32 * 12)(48, 3)
    found = {
        f"limit {number}": call("prlimit64", pid, number, (ctypes.c_ulong * 2)(1 << 40, 1 << 40), 0) for number in (0, 1)}
    found |= {
        "priority": call("setpriority", 0, pid, 19), "affinity": call("sched_setaffinity", pid, 128, room),
        "scheduler": call("sched_setscheduler", pid, 3, ctypes.byref(parameter)),
        "parameter": call("sched_setparam", pid, ctypes.byref(parameter)),
        "scheduler's attributes": call("sched_setattr", pid, attributes, 0),
        "priority of I/O": call("ioprio_set", 1, pid, 3 << 13), "trace": call("ptrace", 0x4206, pid, 0, 0),
        "read memory": call("process_vm_readv", pid, room, 0, room, 0, 0),
        "write memory": call("process_vm_writev", pid, room, 0, room, 0, 0),
        "compare": call("kcmp", pid, pid, 0, 1, 1), "migrate": call("migrate_pages", pid, 0, 0, 0),
        "move": call("move_pages", pid, 0, 0, 0, 0, 0), "core": outcome_of(LIBC.prctl(SCHED_CORE, 2, pid, 0, 0)),
        "root": outcome(lambda: os.listdir(f"/proc/{pid}/root")),
        "memory killer": outcome(lambda: open(f"/proc/{pid}/oom_score_adj", "w")),
        "group of the scheduler": outcome(lambda: open(f"/proc/{pid}/autogroup", "w")),
        "files": outcome(lambda: os.readlink(f"/proc/{pid}/fd/0")),
        "memory": outcome(lambda: open(f"/proc/{pid}/mem", "rb")),
        "environment": outcome(lambda: open(f"/proc/{pid}/environ", "rb").read()),
    }
    return {f"{name}: {key}": value for key, value in found.items()}


def outcome_of(result):
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]


def attacks_on_kernel():
    room = (ctypes.c_ulong * 16)()
    return {
        "all of the user's priorities": call("setpriority", 2, 0, 19), "new user": call("unshare", NEW_USER),
        "new mounts": call("unshare", NEW_MOUNTS), "all of the user's I/O": call("ioprio_set", 3, 0, 3 << 13),
        "clone into a new user": call("clone", NEW_USER | 17, 0, 0, 0, 0), "clone3": call("clone3", room, 64),
        "setns": call("setns", 0, 0), "mount": call("mount", 0, b"/", 0, 1 << 18, 0),
        "umount": call("umount2", b"/", 0),
        "pivot_root": call("pivot_root", b".", b"."), "chroot": call("chroot", b"/"),
        "open_tree": call("open_tree", -100, b".", 0), "move_mount": call("move_mount", -100, b".", -100, b".", 0),
        "fsopen": call("fsopen", b"tmpfs", 0), "mount_setattr": call("mount_setattr", -100, b".", 0, room, 32),
        "userfaultfd": call("userfaultfd", 1), "keyctl": call("keyctl", 0, -3, 0, 0, 0),
        "add_key": call("add_key", b"user", b"crowbar", b"x", 1, -3), "bpf": call("bpf", 0, room, 64),
        "request_key": call("request_key", b"user", b"crowbar", 0, -3), "io_uring": call("io_uring_setup", 1, room),
        "perf_event_open": call("perf_event_open", room, 0, -1, -1, 0), "pidfd_getfd": call("pidfd_getfd", -1, 0, 0),
        "process_madvise": call("process_madvise", -1, room, 0, 0, 0),
        "process_mrelease": call("process_mrelease", -1, 0),
        "name_to_handle_at": call("name_to_handle_at", -100, b".", room, room, 0),
        "open_by_handle_at": call("open_by_handle_at", -100, room, 0),
        "personality": call("personality", ADDR_NO_RANDOMIZE),
        "kexec_load": call("kexec_load", 0, 0, 0, 0), "init_module": call("init_module", room, 0, b""),
        "finit_module": call("finit_module", 0, b"", 0), "delete_module": call("delete_module", b"x", 0),
        "swapon": call("swapon", b"/none", 0), "reboot": call("reboot", 0, 0, 0, 0), "acct": call("acct", 0),
        "clock_settime": call("clock_settime", 0, (ctypes.c_long * 2)(1, 1)), "syslog": call("syslog", 10, 0, 0),
        "adjtimex": call("adjtimex", (ctypes.c_ulong * 32)()), "quotactl": call("quotactl", 0, b"x", 0, 0),
        "kernel's settings": outcome(lambda: open("/proc/sys/kernel/core_pattern", "w")),
        "terminal": outcome_of(LIBC.ioctl(0, TIOCSTI, b"x")),
    }


def attacks_by_files(config):
    """What outlives a plugin or holds others up: modes by which a file gives its owner's rights, leases; devices."""
    umask = os.umask(0)
    with open("mode", "w") as file:
        file.write("x")
    here, create, temporary = -100, os.O_CREAT | os.O_WRONLY, os.O_TMPFILE | os.O_WRONLY
    descriptor = os.open("mode", os.O_RDWR)
    found = {}
    for mode in (0o4755, 0o2755, 0o6755):
        found |= {
            f"{mode:o} {name}": call(name, *arguments) for name, arguments in {
                "chmod": (b"mode", mode), "fchmod": (descriptor, mode), "fchmodat": (here, b"mode", mode),
                "fchmodat2": (here, b"mode", mode, 0), "mkdir": (b"d1-%o" % mode, mode),
                "mkdirat": (here, b"d2-%o" % mode, mode), "mknod": (b"n1-%o" % mode, 0o100000 | mode, 0),
                "mknodat": (here, b"n2-%o" % mode, 0o100000 | mode, 0), "creat": (b"c1-%o" % mode, mode),
                "open": (b"c2-%o" % mode, create, mode), "openat": (here, b"c3-%o" % mode, create, mode),
                "openat2": (here, b"c4-%o" % mode, (ctypes.c_uint64 * 3)(create, mode, 0), 24),
            }.items()}
        found[f"{mode:o} nameless"] = call("openat", here, b".", temporary, mode)
    os.umask(umask)
    # F_SETLEASE with F_RDLCK and F_WRLCK, F_NOTIFY, F_SETDELEG.
    for command, argument in ((1024, 0), (1024, 1), (1026, 1), (1040, 1)):
        with open("mode", "rb") as file:
            found[f"lease {command} {argument}"] = outcome(lambda: fcntl.fcntl(file, command, argument))
    for signal in (0, 15, 17):
        found[f"parent-death signal {signal}"] = outcome_of(LIBC.prctl(1, signal, 0, 0, 0))
    for name in (
        "loop0", "loop1", "loop-control", "kmsg", "fuse", "console", "userfaultfd", "kvm", "mem", "tty0", "vda", "sda",
        "hwrng", "net/tun", "vhost-net", "mapper/control",
    ):
        found["device " + name] = outcome(lambda: os.close(os.open("/dev/" + name, os.O_RDONLY | os.O_NONBLOCK)))
    for path in config.get("devices", []):
        found["device elsewhere " + path] = outcome(lambda: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK)))
    for path in config.get("procs", []):
        host = parent_of(os.getppid())
        for name in ("sys/kernel/core_pattern", f"{host}/oom_score_adj", f"{host}/autogroup", f"{host}/comm"):
            found[f"{path} {name}"] = outcome(lambda: open(f"{path}/{name}", "w"))
    return found


def parent_of(pid):
    fields = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status").read().splitlines())
    return int(fields["PPid"])


def attacks_on_files(data):
    found = {}
    for name in ("", "admin.key", "log.db", "host.db", "accounts.db", "crowbar.sock", "plugins",
    "plugins/other/secret"):
        path = os.path.join(data, name)
        tried = {
            "chmod": lambda: os.chmod(path, 0o777), "chmod to none": lambda: os.chmod(path, 0),
            "utime": lambda: os.utime(path),
            "chown": lambda: os.chown(path, os.getuid(), os.getgid()), "xattr": lambda: os.setxattr(path,
            "user.x", b"x"),
            "truncate": lambda: os.truncate(path, 0), "write": lambda: open(path, "r+b"),
            "unlink": lambda: os.unlink(path),
            "read": lambda: open(path, "rb").read(1), "rename": lambda: os.rename(path, "taken"),
            "link": lambda: os.link(path, "linked"), "append": lambda: open(path, "ab"),
        }
        found |= {f"{name or 'data'}: {key}": outcome(action) for key, action in tried.items()}
    # What the server reads at its next start, or at once, with its own rights.
    root = os.path.dirname(data)
    for name in ("crowbar.toml", "plugins.d", "plugins.d/other.toml"):
        path = os.path.join(root, name)
        with open("mine-" + os.path.basename(name), "w") as file:
            file.write("command = []")
        tried = {
            "chmod": lambda: os.chmod(path, 0o777), "utime": lambda: os.utime(path),
            "chown": lambda: os.chown(path, os.getuid(), os.getgid()),
            "xattr": lambda: os.setxattr(path, "user.x", b"x"), "truncate": lambda: os.truncate(path, 0),
            "write": lambda: open(path, "r+b"), "append": lambda: open(path, "ab"), "unlink": lambda: os.unlink(path),
            "rename": lambda: os.rename(path, "taken"), "move": lambda: os.rename(path, path + ".moved"),
            "link": lambda: os.link(path, "linked"), "remove": lambda: os.rmdir(path),
            "replace": lambda: os.replace("mine-" + os.path.basename(name), path),
        }
        found |= {f"{name}: {key}": outcome(action) for key, action in tried.items()}
    found["make a manifest"] = outcome(lambda: open(root + "/plugins.d/made.toml", "x"))
    found["make a folder of manifests"] = outcome(lambda: os.mkdir(root + "/plugins.d/made"))
    found["make"] = outcome(lambda: open(data + "/made", "x"))
    found["make in plugins"] = outcome(lambda: open(data + "/plugins/made", "x"))
    found["list of other"] = outcome(lambda: os.listdir(data + "/plugins/other"))
    return found


def harmless():
    """What runtimes do, which must go on working."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def thread():
        other = threading.Thread(target=lambda: None)
        other.start()
        other.join()

    def times():
        with open("mine", "w") as file:
            file.write("x")
        os.utime("mine")

    def modes():
        write("mine")
        os.chmod("mine", 0o1755)

    def made():
        os.close(os.open("made", os.O_CREAT | os.O_WRONLY, 0o755))
        os.mkdir("folder", 0o1755)
        # Without O_CREAT what stands where the mode would be is no mode.
        if call("openat", -100, b"made", os.O_RDONLY, 0o6755) != "ok":
            raise OSError(errno.EPERM, "open")

    def devices():
        write("/dev/null")
        open("/dev/urandom", "rb").read(1)
        open("/dev/zero", "rb").read(1)

    return {
        "may: modes": outcome(modes), "may: make": outcome(made), "may: devices": outcome(devices),
        "may: parent-death signal": outcome_of(LIBC.prctl(1, 9, 0, 0, 0)),
        "may: limit": outcome(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))),
        "may: affinity": outcome(lambda: os.sched_setaffinity(0, os.sched_getaffinity(0))),
        "may: priority": outcome(lambda: os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))),
        "may: thread": outcome(thread), "may: run": outcome(lambda: subprocess.run(["/bin/true"], check=True)),
        "may: times": outcome(times), "may: absolute": outcome(lambda: open(os.getcwd() + "/mine", "r+").close()),
        "may: personality": call("personality", 0xFFFFFFFF), "may: list": outcome(lambda: os.listdir(".")),
    }


def attack(config):
    data = config["attack"]
    launcher = os.getppid()
    fields = dict(line.split(":", 1) for line in open(f"/proc/{launcher}/status").read().splitlines())
    host = int(fields["PPid"])
    own = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
    return {
        "attacks": attacks_on_kernel() | attacks_on_processes(host, "host") | attacks_on_processes(launcher,
        "launcher")
        | attacks_on_files(data) | attacks_by_files(config),
        "may": harmless(), "user": os.getuid(),
        "socket": outcome(lambda: socket.socket(socket.AF_UNIX).connect(data + "/crowbar.sock")),
        "capabilities": [own[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
        "launcher": [fields[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")],
    }


def status():
    fields = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
    umask = os.umask(0)
    os.umask(umask)
    return {
        "no_new_privs": int(fields["NoNewPrivs"]), "umask": umask,
        "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
        "core": open("/proc/self/limits").read().split("Max core file size")[1].split()[:2],
    }


def note(folder, **what):
    with open(os.path.join(folder, "seen"), "a") as file:
        file.write(json.dumps(what) + "\n")


def main():
    if len(sys.argv) > 1:
        note(".", **attempt(json.loads(sys.argv[1])))
        return
    config = json.loads(sys.stdin.readline())["config"]
    if "delay" in config:
        time.sleep(config["delay"])
    note(".", status=status(), **attempt(config))
    if "attack" in config:
        note(".", **attack(config))
    if config.get("daemon"):
        subprocess.Popen([sys.executable, __file__, json.dumps(config)], start_new_session=True)
    files = [open("/dev/null") for _ in range(config.get("open", 0))]
    memory = bytearray(config.get("hog", 0) << 20)
    children = [subprocess.Popen(["sleep", "1000"]) for _ in range(config.get("spawn", 0))]
    note(".", done=len(files) + len(memory) + len(children))
    print(json.dumps({"type": "ready", "protocol": 1, "name": "prober", "version": "1"}), flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "event":
            print(json.dumps({"type": "ack", "delivery": message["delivery"]}), flush=True)
        elif message["type"] == "ping":
            print(json.dumps({"type": "pong", "n": message["n"]}), flush=True)
        elif message["type"] == "drain":
            print(json.dumps({"type": "drained"}), flush=True)
            return


main()
