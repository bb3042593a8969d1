import CSpawn
import Dispatch
import Glibc

/// Finds and ends the processes of a plugin that have outlived its launcher.
///
/// They are known by the pipes that they hold, which are no other session's, and by the plugin's own user where it has
/// one. The same user may have other processes: those of the plugin's next session, of a replay, of another server. All
/// of them have a launcher above them, which is another user's, and are left alone.
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

    /// - Parameter pipes: The pipes' ends on this side.
    init(user: UInt32? = nil, pipes: [Int32] = []) {
        self.user = user
        for pipe in pipes {
            var info = stat()
            if fstat(pipe, &info) == 0 { self.pipes.insert("pipe:[\(info.st_ino)]") }
        }
    }

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
        if let user, known.user == user, !isBelowLauncher(known, all) { return true }
        return holdsPipe(pid)
    }

    /// Whether a launcher is above it: a process by that name which the plugin's user cannot have made.
    private func isBelowLauncher(_ known: Known, _ all: [Int32: Known]) -> Bool {
        var known = known
        for _ in 0..<Limit.parents {
            guard let parent = all[known.parent] else { return false }
            if parent.user != user, parent.name == "crowbar-launch" { return true }
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
