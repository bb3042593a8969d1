import Foundation
import Testing

/// How a server runs, and what its machine offers to keep plugins from it.
struct Situation: Sendable, CustomTestStringConvertible {
    /// Users that the server runs as.
    static let ordinary: uid_t = 54_321

    var name: String
    /// 0: root.
    var user: uid_t = 0
    /// What crowbar.toml says.
    var keys = ""
    /// Options of old_kernel.py; nil: this kernel as it is.
    var kernel: String?
    /// Whether plugins run as users of their own.
    var hasUsers = false
    /// Capabilities of an ordinary user, as systemd's `AmbientCapabilities=` gives them.
    var capabilities: [String] = []

    /// What it takes to have users of plugins' own, and no more.
    static let forUsers = ["chown", "kill", "setgid", "setuid"]

    /// The unit for systemd, which cannot run in a test; old_kernel.py loads its filter.
    private static let unit = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../deploy/systemd/crowbar.service").path

    var testDescription: String { name }

    static let all = [
        Situation(name: "root, plugins as users of their own", keys: "plugin_users = \"61184-65519\"", hasUsers: true),
        Situation(name: "root, plugins as root", keys: "plugin_users = \"off\""),
        Situation(name: "ordinary user", user: ordinary),
        Situation(
            name: "root, plugins as users of their own, no mounts", keys: "plugin_users = \"61184-65519\"",
            kernel: "--no-mounts", hasUsers: true),
        Situation(name: "root, plugins as root, no mounts", keys: "plugin_users = \"off\"", kernel: "--no-mounts"),
        Situation(name: "ordinary user, no mounts", user: ordinary, kernel: "--no-mounts"),
        Situation(
            name: "ordinary user with capabilities, plugins as users of their own", user: ordinary,
            keys: "plugin_users = \"61184-65519\"", hasUsers: true, capabilities: forUsers),
        Situation(
            name: "ordinary user with capabilities, plugins as users of their own, no mounts", user: ordinary,
            keys: "plugin_users = \"auto\"", kernel: "--no-mounts", hasUsers: true, capabilities: forUsers),
        Situation(
            name: "ordinary user with capabilities, plugins as that user", user: ordinary,
            keys: "plugin_users = \"off\"", capabilities: forUsers),
        Situation(name: "ordinary user under crowbar.service's filter", user: ordinary, kernel: "--unit=\(unit)"),
    ]
}

/// Whether an ordinary user can run what was built, and another one be made of this.
var canRunAttacks: Bool {
    guard geteuid() == 0, access("/usr/bin/python3", X_OK) == 0 else { return false }
    var path = CommandLineFolder.binary
    while let slash = path.lastIndex(of: "/"), slash != path.startIndex {
        var info = stat()
        guard stat(path, &info) == 0, info.st_mode & 1 == 1 else { return false }
        path = String(path[..<slash])
    }
    return true
}
