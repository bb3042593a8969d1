import Glibc

/// Paths as messages and comparisons need them. Nothing is made or changed.
public enum FolderPath {
    /// Parts of a path at most.
    private static let maxParts = 4_096

    /// A path from the root, as it is written.
    public static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        let here = String(cString: folder)
        if path == "." { return here }
        return (here == "/" ? "" : here) + "/" + (path.hasPrefix("./") ? String(path.dropFirst(2)) : path)
    }

    /// A path from the root in quotes, as messages have it.
    public static func shown(_ path: String) -> String { "'\(absolute(path))'" }

    /// A path from the root without symbolic links; of one that is not there yet, those of what is there are resolved.
    public static func resolved(_ path: String) -> String {
        let path = absolute(path)
        var (head, tail) = (path, "")
        for _ in 0..<maxParts {
            if let real = realpath(head, nil) {
                defer { free(real) }
                let text = String(cString: real)
                return (text == "/" ? "" : text) + tail
            }
            guard let slash = head.lastIndex(of: "/"), slash != head.startIndex else { break }
            tail = head[slash...] + tail
            head = String(head[..<slash])
        }
        return path
    }

    /// Whether a path is a folder or lies below it, by whatever links or mounts it leads there.
    public static func isInside(_ path: String, folder: String) -> Bool {
        var outer = stat()
        guard stat(folder, &outer) == 0 else { return false }
        var parts: [Substring] = []
        for part in resolved(path).split(separator: "/") {
            // Behind what is not there yet.
            if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(part) }
        }
        while true {
            var info = stat()
            if stat("/" + parts.joined(separator: "/"), &info) == 0, info.st_dev == outer.st_dev,
                info.st_ino == outer.st_ino
            {
                return true
            }
            if parts.popLast() == nil { return false }
        }
    }

    /// The owner of a path, or of the first folder above it that can be looked at.
    static func owner(_ path: String) -> (folder: String, user: UInt32)? {
        var path = absolute(path)
        for _ in 0..<maxParts {
            var info = stat()
            if stat(path, &info) == 0 { return (path, info.st_uid) }
            guard let slash = path.lastIndex(of: "/"), path != "/" else { return nil }
            path = slash == path.startIndex ? "/" : String(path[..<slash])
        }
        return nil
    }

    /// The names in a folder, without `.` and `..`; nil where it cannot be read.
    /// - Parameter limit: Names at most.
    public static func names(in folder: String, limit: Int) -> [String]? {
        guard let handle = opendir(folder) else { return nil }
        defer { closedir(handle) }
        var names: [String] = []
        while names.count < limit, let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
