import CrowbarTesting
import Glibc

/// A run of the real `crowbar` binary in a folder of its own.
final class CommandLineFolder: Sendable {
    struct Outcome: Sendable {
        var status: Int32
        var output: String
        var error: String
    }

    let path: String

    init() {
        var template = Array("/tmp/crowbar-cli-XXXXXX".utf8CString)
        mkdtemp(&template)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { _ = Self.spawn(["/bin/rm", "-rf", path], in: "/", output: nil, error: nil).map { Self.wait($0) } }

    /// The binary, beside the test bundle.
    static var binary: String {
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let own = String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // Where a runner outside of the build folder loads the bundle, its path is an argument.
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? own
        return bundle[..<(bundle.lastIndex(of: "/") ?? bundle.endIndex)] + "/crowbar"
    }

    func file(_ name: String) -> String { path + "/" + name }

    func write(_ name: String, _ text: String) {
        let file = open(file(name), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        _ = Glibc.write(file, text, text.utf8.count)
        close(file)
    }

    func makeFolder(_ name: String) { mkdir(file(name), 0o700) }

    func read(_ name: String) -> String { Self.text(of: file(name)) }

    static func text(of path: String) -> String {
        let file = open(path, O_RDONLY)
        defer { close(file) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count <= 0 { return String(decoding: text, as: UTF8.self) }
            text += chunk[..<count]
        }
    }

    /// Runs a verb to its end.
    func crowbar(_ arguments: String...) -> Outcome { verb(arguments) }

    /// Runs a verb to its end.
    func verb(_ arguments: [String]) -> Outcome { end([Self.binary] + arguments) }

    /// Runs another program to its end.
    func program(_ arguments: String...) -> Outcome { end(arguments) }

    /// Runs another program to its end.
    func program(_ arguments: [String]) -> Outcome { end(arguments) }

    /// Runs a shell's script to its end; `"$0"` is the binary.
    func shell(_ script: String) -> Outcome { end(["/bin/sh", "-c", script, Self.binary]) }

    private func end(_ arguments: [String]) -> Outcome {
        let tag = "run\(UInt32.random(in: 0 ... .max))"
        let pid = Self.spawn(arguments, in: path, output: file(tag + ".out"), error: file(tag + ".err"))
        guard let pid else { return Outcome(status: -1, output: "", error: "cannot start") }
        return Outcome(status: Self.wait(pid), output: read(tag + ".out"), error: read(tag + ".err"))
    }

    /// The names in a folder, sorted.
    func list(_ name: String) -> [String] {
        guard let handle = opendir(file(name)) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Starts a verb whose output goes to `TAG.out` and `TAG.err`.
    /// - Parameter prefix: A program that runs it, with its arguments.
    func start(_ arguments: [String], _ tag: String, under prefix: [String] = []) -> pid_t? {
        Self.spawn(prefix + [Self.binary] + arguments, in: path, output: file(tag + ".out"), error: file(tag + ".err"))
    }

    /// Starts a shell's script in a folder; `"$0"` is the binary.
    static func start(_ script: String, in folder: CommandLineFolder) -> pid_t? {
        spawn(["/bin/sh", "-c", script, binary], in: folder.path, output: folder.file("script.out"), error: nil)
    }

    /// How many processes work in a folder below this one: plugins do, each in its own.
    func processes(in name: String) -> Int {
        guard let handle = opendir("/proc") else { return -1 }
        defer { closedir(handle) }
        var count = 0
        while let entry = readdir(handle) {
            guard entry.pointee.d_name.0 >= 0x30, entry.pointee.d_name.0 <= 0x39 else { continue }
            let pid = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            var buffer = [CChar](repeating: 0, count: 4_096)
            let length = readlink("/proc/\(pid)/cwd", &buffer, buffer.count)
            let folder = String(decoding: buffer[..<max(0, length)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if folder.hasPrefix(file(name) + "/") { count += 1 }
        }
        return count
    }

    /// Limits the size of the files that a process can write (RLIMIT_FSIZE, soft); the exit status of prlimit.
    func limitFiles(of pid: pid_t, to limit: String) -> Int32 {
        setLimit(of: pid, "--fsize=\(limit)")
    }

    /// Sets a limit of a process by an option of prlimit(1); its exit status.
    func setLimit(of pid: pid_t, _ option: String) -> Int32 {
        let arguments = ["/usr/bin/prlimit", "--pid", "\(pid)", option]
        return Self.spawn(arguments, in: path, output: nil, error: nil).map { Self.wait($0) } ?? -1
    }

    /// Starts a server and waits until it says where it listens.
    /// - Returns: Its process id and port.
    func serve(_ arguments: String..., by starter: [String] = []) -> (pid: pid_t, port: String)? {
        guard let pid = start(["serve"] + arguments, "serve", under: starter) else { return nil }
        let isListening = poll { read("serve.out").contains("listens on") || Self.hasEnded(pid) }
        let address = read("serve.out").split(separator: " ").first { $0.hasPrefix("http://") }
        guard isListening, let port = address?.split(separator: ":").last?.prefix(while: \.isNumber) else { return nil }
        return (pid, String(port))
    }

    /// Asks again and again, at most for `testDeadline`, until something is so.
    func poll(_ condition: () -> Bool) -> Bool {
        let deadline = ContinuousClock.now + testDeadline
        while ContinuousClock.now < deadline {
            if condition() { return true }
            usleep(20_000)
        }
        return false
    }

    static func hasEnded(_ pid: pid_t) -> Bool {
        var info = siginfo_t()
        return waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_signo == SIGCHLD
    }

    /// The exit status; 128 and more for a signal.
    static func wait(_ pid: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }

    private static func spawn(_ arguments: [String], in folder: String, output: String?, error: String?) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (descriptor, path) in [(Int32(1), output), (2, error)] {
            posix_spawn_file_actions_addopen(
                &actions, descriptor, path ?? "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        }
        var pid: pid_t = 0
        // The shell changes the folder and becomes the program.
        let all = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", folder] + arguments
        var words: [UnsafeMutablePointer<CChar>?] = all.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        return posix_spawn(&pid, all[0], &actions, nil, &words, environ) == 0 ? pid : nil
    }
}
