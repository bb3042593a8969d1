import CrowbarSQLite

/// Where the data folder may be: not below a folder that every sandboxed plugin may read.
enum DataLocation {
    /// As `Sources/Launcher/landlock.c` has them, and what is no place for files.
    static let closed = [
        "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/proc", "/sys",
        "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/crypto-policies", "/etc/alternatives",
    ]

    /// - Throws: ``Refusal`` where plugins are given the folder above it.
    static func check(_ data: String) throws {
        let path = FolderPath.resolved(data)
        for folder in closed {
            for folder in [folder, FolderPath.resolved(folder)] where path == folder || path.hasPrefix(folder + "/") {
                throw Refusal(
                    "the data folder '\(path)' lies below '\(folder)', which plugins with a [sandbox] may read; "
                        + "move it, as to /var/lib/crowbar, and set data (or CROWBAR_DATA) to its new place")
            }
        }
    }
}
