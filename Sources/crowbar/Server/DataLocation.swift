import Glibc

/// Where the data folder may be: not below a folder that every sandboxed plugin may read.
enum DataLocation {
    /// As `Sources/Launcher/landlock.c` has them, and what is no place for files.
    static let closed = [
        "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/proc", "/sys",
        "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/crypto-policies", "/etc/alternatives",
    ]

    /// Parts of a path.
    private static let maxParts = 4096

    /// - Throws: ``Refusal`` where plugins are given the folder above it.
    static func check(_ data: String) throws {
        let path = resolved(PluginService.absolute(data))
        for folder in closed {
            for folder in [folder, resolved(folder)] where path == folder || path.hasPrefix(folder + "/") {
                throw Refusal(
                    "data: the data folder '\(path)' lies below '\(folder)', which plugins with a [sandbox] may read; "
                        + "move it, as to /var/lib/crowbar, and set data (or CROWBAR_DATA) to its new place")
            }
        }
    }

    /// A path without links; of one that is not there yet, what is there of it.
    private static func resolved(_ path: String) -> String {
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
}
