/// Whether a process may run programs as other users, end them, and give them their folders: root, or an ordinary user
/// with the capabilities for it, as systemd's `AmbientCapabilities=` gives them.
struct UserRights: Sendable, Equatable {
    /// What it takes, by the bit in `/proc/PID/status`. No right to pass over files' modes is among them: the folder of
    /// a plugin is opened as its owner.
    static let needed: [(bit: UInt64, name: String)] = [
        (0, "CAP_CHOWN"), (5, "CAP_KILL"), (6, "CAP_SETGID"), (7, "CAP_SETUID"),
    ]

    /// The effective user.
    let user: UInt32
    /// Those that are not in effect.
    let missing: [String]
    /// Those that are, but that an ordinary user does not hand on to the launcher, as they are not ambient.
    let kept: [String]

    /// - Parameter status: What `/proc/self/status` says. What it does not say is not there.
    init(status: String) {
        func words(_ key: String) -> [Substring] {
            let line = status.split(separator: "\n").first { $0.hasPrefix(key + ":") }
            return line?.dropFirst(key.utf8.count + 1).split { $0 == "\t" || $0 == " " } ?? []
        }
        func set(_ key: String) -> UInt64 { words(key).first.flatMap { UInt64($0, radix: 16) } ?? 0 }
        let user = words("Uid").dropFirst().first.flatMap { UInt32($0) } ?? UInt32.max
        let (effective, ambient) = (set("CapEff"), set("CapAmb"))
        self.user = user
        missing = Self.needed.filter { effective & 1 << $0.bit == 0 }.map(\.name)
        // Programs that root runs have them all.
        kept = Self.needed.filter { user != 0 && effective & ~ambient & 1 << $0.bit != 0 }.map(\.name)
    }

    /// Those of this process.
    /// - Throws: ``PluginUsers/Failure`` where they cannot be read: what is not known must not decide for root.
    static func own() throws(PluginUsers.Failure) -> UserRights {
        do {
            let bytes = try FileBytes.read("/proc/self/status", limit: 64 << 10)
            return UserRights(status: String(decoding: bytes, as: UTF8.self))
        } catch {
            throw PluginUsers.Failure(
                reason: "'/proc/self/status' cannot be read: \(error.reason)", isTransient: error.isTransient)
        }
    }

    /// Whether users are to be given where nobody asks for them: as root, and where somebody gave the server any of
    /// the capabilities for it, so that one that was forgotten is told of.
    var isExpected: Bool { user == 0 || missing.count < Self.needed.count }

    /// Why it may not; nil where it may.
    var obstacle: String? {
        if !missing.isEmpty {
            return "the server, which runs as \(user == 0 ? "root" : "user \(user)"), lacks "
                + missing.joined(separator: ", ")
        }
        if kept.isEmpty { return nil }
        return "the server has \(kept.joined(separator: ", ")), but not as ambient capabilities, so crowbar-launch "
            + "does not get them"
    }

    /// What to do about it.
    var advice: String {
        if user == 0 { return "let the service or container keep them, or set plugin_users = \"off\"" }
        return "set AmbientCapabilities=\(Self.needed.map(\.name).joined(separator: " ")) in its systemd unit, run it "
            + "as root, or set plugin_users = \"off\""
    }
}
