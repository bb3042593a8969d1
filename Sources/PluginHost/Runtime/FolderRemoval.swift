import Glibc

/// Removes a plugin's own folder.
enum FolderRemoval {
    /// Folders within folders at most; deeper ones are left, and said so.
    static let maxDepth = 64

    /// Why something is still there.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Whether there is nothing to lose.
    static func isEmpty(_ folder: String) -> Bool { (try? FileBytes.list(folder))?.isEmpty ?? true }

    /// Removes a folder with all that is in it; links are removed, never followed. One that is not there is fine.
    static func remove(_ path: String, depth: Int = 0) throws(Failure) {
        guard depth < maxDepth else { throw Failure(description: "'\(path)' is too deep to be removed") }
        var info = stat()
        guard lstat(path, &info) == 0 else {
            if errno == ENOENT { return }
            throw Failure(description: "'\(path)' cannot be removed: \(String(cString: strerror(errno)))")
        }
        guard info.st_mode & S_IFMT == S_IFDIR else {
            return try accept(unlink(path), path)
        }
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
