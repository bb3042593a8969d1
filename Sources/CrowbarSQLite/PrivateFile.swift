import Glibc

/// Why a file of the data folder could not be written.
public struct StorageFault: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file or folder.
    public var path: String
    /// What could not be done with it, such as "cannot be written".
    public var action: String
    /// Why.
    public var cause: StorageCause

    /// Makes one.
    public init(path: String, action: String, cause: StorageCause) {
        self.path = path
        self.action = action
        self.cause = cause
    }

    /// One whose cause is the system's last error.
    static func last(_ path: String, _ action: String) -> StorageFault {
        StorageFault(path: path, action: action, cause: StorageCause(errno: errno))
    }

    public var description: String { "\(path.hasPrefix("/") ? "'\(path)'" : path) \(action): \(cause)" }
}

/// Small files for the owner's eyes alone.
public enum PrivateFile {
    /// Writes a file whole or not at all: aside, synced, and only then under its name. What failed leaves nothing.
    /// - Throws: ``StorageFault``.
    public static func write(_ path: String, _ bytes: [UInt8]) throws(StorageFault) {
        let path = FolderPath.absolute(path)
        let draft = path + ".new"
        unlink(draft)
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .last(path, "cannot be made") }
        do throws(StorageFault) {
            defer { close(file) }
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if errno != EINTR {
                    throw .last(path, "cannot be written")
                }
            }
            if fsync(file) != 0 || rename(draft, path) != 0 { throw .last(path, "cannot be written") }
        } catch {
            unlink(draft)
            throw error
        }
    }
}
