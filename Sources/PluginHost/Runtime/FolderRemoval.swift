import Glibc

/// Removes a plugin's own folder, while no process of the plugin is left.
public enum FolderRemoval {
    /// Folders within folders at most; deeper ones are left, and said so.
    static let maxDepth = 64

    /// Why something is still there.
    public struct Failure: Error, CustomStringConvertible {
        public var description: String
    }

    /// Whether there is nothing to lose. A folder that cannot be read may hold something.
    static func isEmpty(_ folder: String) -> Bool {
        access(folder, F_OK) != 0 || (try? FileBytes.list(folder))?.isEmpty ?? false
    }

    /// Removes a folder with all that is in it; links are removed, never followed. One that is not there is fine.
    public static func remove(_ path: String) throws(Failure) { try remove(path, depth: 0) }

    private static func remove(_ path: String, depth: Int) throws(Failure) {
        guard depth < maxDepth else { throw Failure(description: "'\(path)' is too deep to be removed") }
        var info = stat()
        guard lstat(path, &info) == 0 else {
            if errno == ENOENT { return }
            throw Failure(description: "'\(path)' cannot be removed: \(String(cString: strerror(errno)))")
        }
        guard info.st_mode & S_IFMT == S_IFDIR else {
            return try accept(unlink(path), path)
        }
        // A folder of the plugin's own user is closed to an ordinary server, which may take it back (CAP_CHOWN).
        if geteuid() != 0, info.st_uid != geteuid(), lchown(path, geteuid(), getegid()) == 0 { chmod(path, 0o700) }
        let names: [String]
        do {
            names = try FileBytes.list(path)
        } catch {
            throw Failure(description: "'\(path)' cannot be removed: \(error.reason)")
        }
        for name in names { try remove(path + "/" + name, depth: depth + 1) }
        try accept(rmdir(path), path)
    }

    private static func accept(_ status: Int32, _ path: String) throws(Failure) {
        if status != 0, errno != ENOENT {
            throw Failure(description: "'\(path)' cannot be removed: \(String(cString: strerror(errno)))")
        }
    }
}
