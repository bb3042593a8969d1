import Glibc

/// The network as a plugin finds it.
package enum Network {
    /// What the operator reads of a plugin that is of no use without it.
    package static let advice =
        "this plugin has no network: write 'network = true' under [sandbox] in its manifest"

    /// Whether the plugin's sandbox lets it make no connections at all.
    package static var isClosed: Bool {
        let made = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard made < 0 else {
            close(made)
            return false
        }
        // Others mean that there is no such family, or too many files, which may be different later.
        return errno == EACCES || errno == EPERM
    }
}
