import Glibc
import JSONBytes

/// A file of plugins.d that looks like a manifest and is not read for its name, so that a slip in the name is told.
public struct UnreadFile: Sendable, Equatable {
    /// The file's path.
    public var path: String
    /// Why it is not read, and what to do.
    public var reason: String

    /// Both in one line.
    public var text: String { "\(path): \(reason)" }

    /// Files of a folder that are told of at most.
    static let maxTold = 20

    /// The longest file that is looked into, in bytes.
    private static let maxBytes = 64 << 10
    /// Ends of names under which people keep settings.
    private static let plainEnds: Set = ["txt", "conf", "cfg", "config", "ini"]

    /// Looks at a file that is not read; nil where nobody can have meant it for a manifest.
    ///
    /// Hidden files, `NAME~` and `#NAME#` are what editors leave behind, and are nobody's mistake.
    static func look(at name: String, in folder: String) -> UnreadFile? {
        if name.hasPrefix(".") || name.hasSuffix("~") || name.hasPrefix("#") { return nil }
        let path = folder + "/" + name
        guard FileBytes.isFile(path), let reason = reason(name, path) else { return nil }
        return UnreadFile(path: path, reason: "this file is not read: \(reason)")
    }

    private static func reason(_ name: String, _ path: String) -> String? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let end = parts.count > 1 ? parts[parts.count - 1] : ""
        let stem = parts.dropLast().joined(separator: ".")
        if name.lowercased().contains(".toml"), end.lowercased() != "toml" {
            return "its name does not end in '.toml'; to switch a plugin off, keep the name and write enabled = false; "
                + "move copies out of this folder"
        }
        if !stem.isEmpty, NearestName.to(end, among: ["toml"]) != nil { return rename(name, to: stem) }
        if end.isEmpty, name.hasSuffix("toml"), name.count > 4 { return rename(name, to: String(name.dropLast(4))) }
        if end.isEmpty || plainEnds.contains(end.lowercased()), isManifest(path) {
            return rename(name, to: stem.isEmpty ? name : stem)
        }
        return nil
    }

    private static func rename(_ name: String, to stem: String) -> String {
        "a manifest's name ends in '.toml'; rename it to '\(stem).toml', or move it out of this folder"
    }

    /// Whether a line of a file names a command as manifests do. Programs that lie there are none.
    private static func isManifest(_ path: String) -> Bool {
        guard !isProgram(path), let bytes = try? FileBytes.read(path, limit: maxBytes) else { return false }
        return bytes.split(separator: 0x0A).contains { line in
            guard line.starts(with: "command".utf8) else { return false }
            return line.dropFirst(7).drop { $0 == 0x20 || $0 == 0x09 }.first == 0x3D
        }
    }

    /// Whether somebody may run it.
    private static func isProgram(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & 0o111 != 0
    }
}
