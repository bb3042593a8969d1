import Glibc
import JSONBytes

/// What a plugin's own user could not open of what its manifest names: programs and files below folders that are closed
/// to others, as `/root` is.
struct UserReach {
    /// What of a file's mode is asked for.
    enum Right: mode_t {
        case run = 1
        case write = 2
        case read = 4
        case list = 5
    }

    /// User and group, which have the same number.
    let number: UInt32
    /// Where bare names are looked for.
    let searchPath: [Substring]

    /// Links and interpreters in a row.
    private static let maxSteps = 8
    private static let firstLine = 256

    /// - Parameter path: The plugin's `PATH`.
    init(number: UInt32, path: String) {
        self.number = number
        searchPath = path.split(separator: ":")
    }

    /// Why a plugin's program cannot run as this user; nil where nothing speaks against it. Only what the operator owns
    /// counts: what the plugin could close itself must not decide whose user it gets.
    /// - Parameters:
    ///   - outside: The folders that hold the hidden ones, the plugin's own below one of them.
    ///   - hidden: What no plugin reaches, so that it does not matter here.
    func obstacle(_ manifest: Manifest, toRun program: String, outside: [String], hidden: [String]) -> String? {
        if let reason = toRun(program) ?? outside.lazy.compactMap({ to($0, .run) }).first { return reason }
        return closed(manifest.command.dropFirst().filter { $0.hasPrefix("/") && FileBytes.isFile($0) }, hidden)
    }

    /// What of the paths that a manifest names beside its program this user cannot open, with the reason; nil for none.
    func closed(_ manifest: Manifest, hidden: [String]) -> String? {
        let named = Self.paths(manifest.config) + manifest.environment.values.filter { $0.hasPrefix("/") }
        if let reason = closed(named + (manifest.sandbox?.read ?? []), hidden) { return reason }
        for path in manifest.sandbox?.write ?? [] where access(path, F_OK) == 0 {
            if let reason = to(path, .write) { return reason }
        }
        return nil
    }

    private func closed(_ paths: [String], _ hidden: [String]) -> String? {
        for path in paths where access(path, F_OK) == 0 {
            let real = FileBytes.resolved(path)
            if hidden.contains(where: { PluginIsolation.is(real, within: $0) }) { continue }
            if let reason = to(path, isFolder(path) ? .list : .read) { return reason }
        }
        return nil
    }

    /// The paths from the root in a configuration. Files of secrets are not among them: the host reads those itself,
    /// and they may stay closed to everybody else.
    private static func paths(_ json: JSON) -> [String] {
        if let text = json.string { return text.hasPrefix("/") ? [text] : [] }
        if let values = json.array { return values.flatMap(paths) }
        guard case .object(let members) = json, !Secrets.isSecret(json) else { return [] }
        return members.flatMap { paths($0.value) }
    }

    private func isFolder(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// Of a program, and of the interpreter that its first line names.
    private func toRun(_ program: String) -> String? {
        var program = program
        for _ in 0..<Self.maxSteps {
            if let reason = to(program, .run) { return reason }
            guard let words = Self.interpreter(of: program), let first = words.first else { return nil }
            if let reason = to(program, .read) { return reason }
            program = first
            guard first.hasSuffix("/env"), let name = words.dropFirst().first(where: { !$0.hasPrefix("-") }) else {
                continue
            }
            if let reason = to(first, .run) { return reason }
            // The one that root would run: its libraries may be where only root looks.
            let candidates = searchPath.map { "\($0)/\(name)" }
            guard let found = candidates.first(where: { access($0, X_OK) == 0 }) else { return nil }
            program = found
        }
        return nil
    }

    /// The words behind `#!`.
    private static func interpreter(of program: String) -> [String]? {
        let file = open(program, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: Self.firstLine)
        let count = read(file, &bytes, bytes.count)
        guard count > 2, bytes[0] == UInt8(ascii: "#"), bytes[1] == UInt8(ascii: "!") else { return nil }
        let line = bytes[2..<count].prefix { $0 != 0x0A }
        return line.split { $0 == 0x20 || $0 == 0x09 }.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Why a path cannot be opened: by itself, or for a folder above it; as written and without links.
    func to(_ path: String, _ right: Right) -> String? {
        obstacle(path, right) ?? obstacle(FileBytes.resolved(path), right)
    }

    private func obstacle(_ path: String, _ right: Right) -> String? {
        var end = path.startIndex
        while let slash = path[end...].dropFirst().firstIndex(of: "/") {
            let folder = path[..<slash]
            if let mode = denied(String(folder), .run) {
                return "'\(path)' is out of its reach: the folder '\(folder)' is closed to it (mode \(mode))"
            }
            end = slash
        }
        if let mode = denied(path, right) { return "'\(path)' is closed to it (mode \(mode))" }
        return nil
    }

    /// The mode of what does not give a right; nil where it does, or where there is nothing. Access lists do not count.
    private func denied(_ path: String, _ right: Right) -> String? {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        let shift: mode_t = info.st_uid == number ? 6 : info.st_gid == number ? 3 : 0
        if (info.st_mode >> shift) & right.rawValue == right.rawValue { return nil }
        return "0" + String(info.st_mode & 0o7777, radix: 8)
    }
}
