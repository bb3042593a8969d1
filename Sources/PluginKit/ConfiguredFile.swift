import Glibc

/// A file that a plugin's configuration names by its path.
package enum ConfiguredFile {
    /// Why a file cannot be read, and what to do; nil where it can.
    package static func problem(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor < 0 else {
            close(descriptor)
            return nil
        }
        let code = errno
        return words(path, errno: code, isAllowedByMode: access(path, R_OK) == 0, user: geteuid())
    }

    /// The same of what the system says.
    /// - Parameters:
    ///   - errno: Of open(2).
    ///   - isAllowedByMode: access(2) allows reading. It knows modes and owners, and nothing of Landlock, which is what
    ///     the sandbox closes files by.
    ///   - user: Who reads.
    package static func words(_ path: String, errno: Int32, isAllowedByMode: Bool, user: UInt32) -> String {
        switch errno {
        case EACCES where isAllowedByMode, EPERM where isAllowedByMode:
            return "'\(path)' is not readable inside the sandbox; add it to [sandbox] read in the manifest"
        case EACCES, EPERM:
            return "'\(path)' is not readable by user \(user), as which the plugin runs; change the mode or owner of "
                + "the file, or of a folder above it (chmod, chown)"
        default:
            let advice =
                errno != ENOENT
                ? "" : path.hasPrefix("/") ? "; check the path" : "; give its path from the root"
            return "'\(path)' cannot be read: \(String(cString: strerror(errno)))\(advice)"
        }
    }
}
