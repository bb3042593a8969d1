import Glibc

/// Finds the program that a manifest names.
enum ProgramPath {
    /// Why there is none to run.
    struct Missing: Error, Equatable {
        var reason: String
    }

    /// The path of the program.
    /// - Parameters:
    ///   - name: As written: a path with a `/` (relative to `folder`), or a bare name.
    ///   - folder: The manifest's folder.
    ///   - searchPath: Where a bare name is looked for, in order.
    static func find(_ name: String, folder: String, searchPath: [String]) throws(Missing) -> String {
        if name.contains("/") {
            let path = name.hasPrefix("/") ? name : folder + "/" + name
            try check(path)
            return path
        }
        for place in searchPath where !place.isEmpty {
            let path = place + "/" + name
            if access(path, F_OK) == 0 {
                try check(path)
                return path
            }
        }
        throw Missing(reason: "'\(name)' is neither beside the crowbar binary nor on PATH")
    }

    private static func check(_ path: String) throws(Missing) {
        var info = stat()
        guard stat(path, &info) == 0 else {
            throw Missing(reason: "'\(path)': \(String(cString: strerror(errno)))")
        }
        if info.st_mode & S_IFMT == S_IFDIR { throw Missing(reason: "'\(path)' is a folder, not a program") }
        if access(path, X_OK) != 0 { throw Missing(reason: "'\(path)' is not executable (chmod +x?)") }
    }
}
