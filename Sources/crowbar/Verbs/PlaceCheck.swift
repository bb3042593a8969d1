import CrowbarSQLite
import CrowbarViews
import Glibc
import PluginHost

/// What `crowbar check` finds about the data folder and the address: whether `crowbar serve` could start here, or runs
/// here already. It makes, locks and changes nothing.
struct PlaceCheck {
    typealias Finding = PluginCheck.Finding

    /// Free space below which the log may soon stop, in bytes; it does below ``StorageCause/leastSpace``.
    static let leastFree: UInt64 = 64 << 20
    /// The files that only the server's user may need to write.
    static let files = ["log.db", "host.db", "accounts.db", "markers.db", views, "crowbar.lock", ControlFiles.keyFile]
    /// The one database that can be computed from another.
    private static let views = "views.db"

    let configuration: Configuration
    /// Words a problem of a setting with its place: the key's path, its environment variable, the reason.
    let place: (_ key: [String], _ variable: String, _ reason: String) -> String

    /// All findings.
    func findings() async -> [Finding] {
        let isRunning = await ControlClient(folder: configuration.data).isServerRunning()
        return location() + folder() + plugins() + socketPath() + listen(isRunning: isRunning)
            + PublishPlace.findings(configuration) { place($0, "CROWBAR_VIEWS_PUBLISH", $1) }
    }

    private func plugins() -> [Finding] {
        guard let text = MissingPlugins.text(configuration), configuration.isPluginFolderNamed else { return [] }
        return [Finding(isError: true, text: place(["plugins"], "CROWBAR_PLUGINS", text))]
    }

    private func error(_ text: String) -> Finding { Finding(isError: true, text: data(text)) }
    private func note(_ text: String) -> Finding { Finding(isError: false, text: data(text)) }
    private func data(_ text: String) -> String { place(["data"], "CROWBAR_DATA", text) }

    // MARK: The data folder

    private func location() -> [Finding] {
        do {
            try DataLocation.check(configuration.data)
            return []
        } catch {
            return [self.error("\(error)")]
        }
    }

    private func folder() -> [Finding] {
        let path = configuration.data
        var info = stat()
        guard stat(path, &info) == 0 else {
            return errno == ENOENT
                ? parent(of: path) : [error("the folder '\(path)' cannot be looked at: \(words()); \(Self.advice)")]
        }
        guard info.st_mode & S_IFMT == S_IFDIR else {
            return [error("'\(path)' is a file, not a folder; set data (or CROWBAR_DATA) to a folder")]
        }
        var findings: [Finding] = []
        do { try DataFolder.requireOwn(path) } catch { findings.append(self.error("\(error)")) }
        findings += DataFolder.missingBesideLog(path).map { note(DataFolder.warning(path, missing: $0)) }
        if access(path, R_OK | W_OK | X_OK) != 0 {
            // All that is in it is on the same file system.
            if errno == EROFS { return findings + [error("the folder '\(path)' cannot be written: \(Self.readOnly)")] }
            let owner = "it belongs to user \(info.st_uid), mode \(Self.octal(info.st_mode))"
            findings.append(
                error(
                    "the folder '\(path)' cannot be written by user \(geteuid()): \(words()) (\(owner)); "
                        + Self.advice))
        } else if info.st_mode & 0o066 != 0 {
            if geteuid() != 0, info.st_uid != geteuid() {
                findings.append(
                    error(
                        "the folder '\(path)' is open to other users (mode \(Self.octal(info.st_mode))) and "
                            + "belongs to user \(info.st_uid), so the server cannot close it; chown it to user "
                            + "\(geteuid())"))
            } else {
                findings.append(
                    note(
                        "the folder '\(path)' is open to other users (mode \(Self.octal(info.st_mode))); the "
                            + "server sets it to 0700 when it starts"))
            }
        }
        for file in Self.files {
            let path = path + "/" + file
            guard access(path, F_OK) == 0, access(path, R_OK | W_OK) != 0 else {
                if file.hasSuffix(".db") { findings += database(path) }
                continue
            }
            findings.append(
                error("'\(path)' cannot be read and written by user \(geteuid()): \(words()); \(Self.advice)"))
        }
        return findings + space(path)
    }

    /// Whether a folder that is not there can be made.
    private func parent(of path: String) -> [Finding] {
        var parent = path
        var info = stat()
        repeat {
            while parent.count > 1, parent.hasSuffix("/") { parent.removeLast() }
            guard let slash = parent.lastIndex(of: "/") else {
                parent = "."
                break
            }
            parent = slash == parent.startIndex ? "/" : String(parent[..<slash])
        } while parent != "/" && stat(parent, &info) != 0 && errno == ENOENT
        guard stat(parent, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
            return [error("the folder '\(path)' cannot be made: '\(parent)' is no folder; \(Self.another)")]
        }
        if access(parent, W_OK | X_OK) != 0 {
            if errno == EROFS { return [error("the folder '\(path)' cannot be made: \(Self.readOnly)")] }
            return [
                error(
                    "the folder '\(path)' is not there, and user \(geteuid()) cannot make it in '\(parent)': "
                        + "\(words()); make it for that user, or \(Self.another)")
            ]
        }
        return [note("the folder '\(path)' is not there yet; 'crowbar serve' makes it")] + space(parent)
    }

    private func space(_ path: String) -> [Finding] {
        var info = statvfs()
        guard statvfs(path, &info) == 0 else { return [] }
        let free = UInt64(info.f_bavail) * UInt64(info.f_frsize)
        if free >= Self.leastFree { return [] }
        if free < StorageCause.leastSpace {
            return [error("the disk of '\(path)' is full: \(free >> 10) KiB are free; free some space")]
        }
        let amount = free >> 20 > 0 ? "\(free >> 20) MiB" : "\(free >> 10) KiB"
        return [
            note(
                "only \(amount) are free on the disk of '\(path)'; free some space: below "
                    + "\(StorageCause.leastSpace >> 10) KiB nothing is stored")
        ]
    }

    /// Whether a database is one that the server can read.
    private func database(_ path: String) -> [Finding] {
        var info = stat()
        // SQLite may make files beside it. Made by another user they would keep the server out.
        guard stat(path, &info) == 0, info.st_uid == geteuid(), info.st_size > 0 else { return [] }
        umask(0o077)
        let isView = path.hasSuffix("/" + Self.views)
        if let cause = DataReader.problem(of: path) {
            // The server would do the same with one that it cannot read for another reason, such as a lock.
            if isView, cause == .damaged || cause == .notADatabase {
                return [note("'\(path)' is of no use (\(cause.summary)); the server replaces it when it starts")]
            }
            return [error("'\(path)' cannot be used: \(cause)")]
        }
        guard let format = DataReader.format(of: path, others: [Self.views: ViewsDatabase.format]),
            format.found != format.supported, format.found > 0
        else {
            return []
        }
        if format.found > format.supported {
            if isView {
                return [
                    note(
                        "'\(path)' has format \(format.found), this version knows up to \(format.supported); the "
                            + "server replaces it when it starts, and rebuilds the views from the log")
                ]
            }
            let newer = StoreError.newerFormat(path: path, found: format.found, supported: format.supported)
            return [error("\(newer)")]
        }
        return [
            note(
                "'\(path)' has format \(format.found), which the server brings to \(format.supported) when it starts; "
                    + "the version before cannot open it then, so make a backup first")
        ]
    }

    private static let readOnly =
        "its file system is read-only; mount the file system read-write, or \(another)"

    private static let another = "set data (or CROWBAR_DATA) to another folder"
    private static let advice =
        "run this as the user that it belongs to, or, while no server runs, give it to that user with all that is in "
        + "it (chown, chmod), or \(another)"

    private static func octal(_ mode: mode_t) -> String {
        let digits = String(mode & 0o7777, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    private func words() -> String { String(cString: strerror(errno)) }

    // MARK: Addresses

    private func socketPath() -> [Finding] {
        let path = configuration.data + "/" + ControlFiles.socket
        guard path.utf8.count > ListenProblem.maxSocketPath else { return [] }
        return [error(ListenProblem.text(path, errno: ENAMETOOLONG))]
    }

    private func listen(isRunning: Bool) -> [Finding] {
        let api = problem(of: configuration.listen, isRunning: isRunning, setting: ListenProblem.httpSetting)
        let metrics = configuration.metrics.listen.flatMap {
            problem(of: $0, isRunning: isRunning, setting: ListenProblem.metricsSetting)
        }
        return [
            api.map { place(["http", "listen"], "CROWBAR_HTTP_LISTEN", $0) },
            metrics.map { place(["metrics", "listen"], MetricsSettings.variable, $0) },
        ].compactMap { $0.map { Finding(isError: true, text: $0) } }
    }

    /// Why an address cannot be listened on, in words.
    private func problem(of address: ListenAddress, isRunning: Bool, setting: String) -> String? {
        guard let problem = ListenProbe.problem(address) else { return nil }
        let isOwn =
            problem == .failed(EADDRINUSE) && isRunning
            && ListenProbe.holds(serverOn: configuration.data, port: address.port)
        return isOwn ? nil : ListenProblem.text(address, problem, setting: setting)
    }
}

/// Tries an address without listening on it.
enum ListenProbe {
    /// Why it cannot be bound.
    enum Problem: Equatable {
        case unknownHost
        case failed(Int32)
    }

    /// Binds a socket to an address and closes it at once; nil where that works.
    static func problem(_ address: ListenAddress) -> Problem? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address.host, "\(address.port)", &hints, &found) == 0, let first = found else {
            return .unknownHost
        }
        defer { freeaddrinfo(first) }
        let file = socket(first.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard file >= 0 else { return .failed(errno) }
        defer { close(file) }
        // As the server does, so that connections of an earlier one that are still being closed are no hindrance.
        var yes: Int32 = 1
        setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        return bind(file, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 ? nil : .failed(errno)
    }

    /// Whether the server that has the lock of a data folder listens on a port, as the kernel's tables say. Where they
    /// cannot be read the port is taken to be its own: that server runs, after all.
    static func holds(serverOn folder: String, port: Int) -> Bool {
        guard let bytes = try? SmallFile.read(folder + "/crowbar.lock"),
            let pid = Int32(String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)),
            let sockets = sockets(of: pid)
        else { return true }
        var isKnown = false
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            guard let bytes = try? SmallFile.read(table) else { continue }
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst() {
                // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode (proc(5))
                let columns = line.split(separator: " ")
                guard columns.count > 9, columns[3] == "0A", let colon = columns[1].lastIndex(of: ":"),
                    Int(columns[1][columns[1].index(after: colon)...], radix: 16) == port
                else { continue }
                isKnown = true
                if sockets.contains(String(columns[9])) { return true }
            }
        }
        return !isKnown
    }

    /// The inodes of a process's sockets; nil where they may not be seen.
    private static func sockets(of pid: Int32) -> Set<String>? {
        guard let handle = opendir("/proc/\(pid)/fd") else { return nil }
        defer { closedir(handle) }
        var inodes: Set<String> = []
        var buffer = [CChar](repeating: 0, count: 128)
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let count = readlink("/proc/\(pid)/fd/\(name)", &buffer, buffer.count)
            let target = String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if target.hasPrefix("socket:["), target.hasSuffix("]") {
                inodes.insert(String(target.dropFirst(8).dropLast()))
            }
        }
        return inodes
    }
}
