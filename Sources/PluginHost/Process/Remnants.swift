import CSpawn
import Dispatch
import Glibc

/// Finds and kills the processes of a plugin that have outlived its launcher.
///
/// A process is the plugin's if all of this is true:
/// - It holds one of the session's pipes, or it runs as the plugin's own user.
/// - It runs as the plugin's user, is confined as plugins are (`no_new_privs` and a seccomp filter), and started after
///   the launcher. A plugin can pass its pipe to any process, and another service can have its user's number.
/// - No running launcher is above it. The plugin's next session and replays use the same user.
struct Remnants: Sendable {
    /// Bounds of the work.
    private enum Limit {
        static let passes = 100
        static let pause: UInt32 = 20_000
        static let status = 16 << 10
        /// Processes above one.
        static let parents = 1_000
    }

    /// The plugin's own user; nil: it has none.
    var user: UInt32?
    /// The pipes' numbers, as `/proc/PID/fd` shows them.
    private(set) var pipes: Set<String> = []
    /// When the launcher was started, in the kernel's ticks.
    private(set) var start: UInt64 = 0

    /// - Parameters:
    ///   - pipes: The pipes' ends on this side.
    ///   - since: The launcher, which still runs or waits to be reaped.
    init(user: UInt32? = nil, pipes: [Int32] = [], since launcher: Int32? = nil) {
        self.user = user
        start = launcher.flatMap(Self.start) ?? 0
        for pipe in pipes {
            var info = stat()
            if fstat(pipe, &info) == 0 { self.pipes.insert("pipe:[\(info.st_ino)]") }
        }
    }

    /// When a process was started. The command's name may hold spaces and parentheses, so the fields are read from
    /// behind the last one (proc(5)).
    private static func start(_ pid: Int32) -> UInt64? {
        guard let bytes = try? FileBytes.read("/proc/\(pid)/stat", limit: Limit.status),
            let name = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = bytes[(name + 1)...].split(separator: 0x20)
        return fields.count > 19 ? UInt64(String(decoding: fields[19], as: UTF8.self)) : nil
    }

    /// Whether the launcher can lay a seccomp filter on plugins here.
    private static let filters: Bool = {
        #if arch(x86_64) || arch(arm64)
            return Known(getpid())?.filter != nil
        #else
            return false
        #endif
    }()

    /// Kills them until none is found, on a thread of its own.
    func end() async -> (killed: Int, areLeft: Bool) {
        await withCheckedContinuation { continuation in
            DispatchQueue.global(qos: .utility).async { continuation.resume(returning: endNow()) }
        }
    }

    private func endNow() -> (killed: Int, areLeft: Bool) {
        var killed: Set<Int32> = []
        for _ in 0..<Limit.passes {
            let found = find()
            if found.isEmpty { return (killed.count, false) }
            // What is stopped does not fork.
            for signal in [SIGSTOP, SIGKILL] {
                for (pid, process) in found where CSpawn_signal(process, signal) == 0 { killed.insert(pid) }
            }
            for process in found.values { close(process) }
            usleep(Limit.pause)
        }
        return (killed.count, true)
    }

    /// A process as the kernel tells of it.
    private struct Known: Equatable {
        var name: Substring = ""
        var user: UInt32?
        var parent: Int32 = 0
        /// `no_new_privs`, and the mode of seccomp; nil where the kernel has none.
        var hasNoNewPrivileges = false
        var filter: Substring?
        /// It has ended, and somebody has to take note of that.
        var isOver = false

        init?(_ pid: Int32) {
            guard let bytes = try? FileBytes.read("/proc/\(pid)/status", limit: Limit.status) else { return nil }
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
                let words = line.split { $0 == "\t" || $0 == " " }
                guard words.count > 1 else { continue }
                switch words[0] {
                case "Name:": name = words[1]
                case "State:": isOver = words[1] == "Z" || words[1] == "X"
                case "PPid:": parent = Int32(words[1]) ?? 0
                case "Uid:": user = UInt32(words[1])
                case "NoNewPrivs:": hasNoNewPrivileges = words[1] == "1"
                case "Seccomp:": filter = words[1]
                default: break
                }
            }
        }
    }

    /// Those that are there, opened, so that none is taken for another one that has got its number since.
    private func find() -> [Int32: Int32] {
        let names = (try? FileBytes.list("/proc")) ?? []
        var all: [Int32: Known] = [:]
        for pid in names.compactMap({ Int32($0) }) { all[pid] = Known(pid) }
        var found: [Int32: Int32] = [:]
        for (pid, known) in all where !known.isOver && pid != getpid() {
            guard isOne(pid, known, all) else { continue }
            let process = CSpawn_process(pid)
            guard process >= 0 else { continue }
            if let again = Known(pid), !again.isOver, again.user == known.user, isOne(pid, again, all) {
                found[pid] = process
            } else {
                close(process)
            }
        }
        return found
    }

    private func isOne(_ pid: Int32, _ known: Known, _ all: [Int32: Known]) -> Bool {
        guard known.user == user ?? geteuid(), known.hasNoNewPrivileges, known.filter == "2" || !Self.filters,
            let started = Self.start(pid), started >= start, !isBelowLauncher(known, all)
        else { return false }
        return user != nil || holdsPipe(pid)
    }

    /// Whether a running launcher is above it: a child of this process, or one by that name that the plugin's user
    /// cannot have made, as another server's.
    private func isBelowLauncher(_ known: Known, _ all: [Int32: Known]) -> Bool {
        var known = known
        for _ in 0..<Limit.parents {
            guard let parent = all[known.parent] else { return false }
            if parent.parent == getpid() { return true }
            if let user, parent.user != user, parent.name == "crowbar-launch" { return true }
            known = parent
        }
        return false
    }

    private func holdsPipe(_ pid: Int32) -> Bool {
        if pipes.isEmpty { return false }
        let folder = "/proc/\(pid)/fd"
        guard let names = try? FileBytes.list(folder),
            names.contains(where: { FileBytes.link("\(folder)/\($0)").map(pipes.contains) ?? false })
        else { return false }
        // A program that this process starts at this moment has a copy of everything until it is that program.
        return FileBytes.link("/proc/\(pid)/exe") != FileBytes.link("/proc/self/exe")
    }
}
