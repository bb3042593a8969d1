import Dispatch
import Glibc

/// Removes a folder with all that is in it, however it was made: a plugin's folder is the plugin's, which may be
/// hostile.
///
/// Names are taken as the bytes that they are, links are removed and never followed, other file systems are left alone,
/// and nothing is found by a path: a folder within a folder that is not empty is moved up to the outermost one and
/// emptied there, so that no depth is too deep, and two folders are open at a time.
public enum FolderRemoval {
    /// Files and folders at most.
    static let maxEntries = 20_000_000
    /// Letters of a name that are shown.
    private static let shownName = 80

    /// Why something is still there.
    public struct Failure: Error, CustomStringConvertible {
        public var description: String
    }

    /// Whether there is nothing to lose. What cannot be looked into may hold something.
    static func isEmpty(_ folder: String) -> Bool {
        do {
            return try FileBytes.list(folder).isEmpty
        } catch {
            return error.isAbsence
        }
    }

    /// As ``remove(_:)``, on a thread of its own, since it may take long.
    static func removed(_ path: String) async throws(Failure) {
        let failure = await withCheckedContinuation { (continuation: CheckedContinuation<Failure?, Never>) in
            DispatchQueue.global(qos: .utility).async {
                do throws(Failure) {
                    try remove(path)
                    continuation.resume(returning: nil)
                } catch {
                    continuation.resume(returning: error)
                }
            }
        }
        if let failure { throw failure }
    }

    /// Removes a folder. One that is not there is fine; of one that is a link, the link is removed.
    /// - Throws: ``Failure`` with the first thing that could not be removed; all else is gone by then.
    public static func remove(_ path: String) throws(Failure) {
        if let failure = Removal(path: path).run() { throw failure }
    }

    /// Opens a folder, and if need be takes what its owner has closed to the owner too.
    /// - Parameter device: Of a folder that lies on another one nothing is changed, and it is not opened (EXDEV).
    private static func open(_ folder: Int32, _ name: UnsafePointer<CChar>, on device: dev_t?) -> Int32 {
        let flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        var info = stat()
        let isFolder = fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_mode & S_IFMT == S_IFDIR
        if isFolder, let device, info.st_dev != device {
            errno = EXDEV
            return -1
        }
        // A folder of the plugin's own user is closed to an ordinary server, which may take it back (CAP_CHOWN).
        if isFolder, geteuid() != 0, info.st_uid != geteuid(),
            fchownat(folder, name, geteuid(), getegid(), AT_SYMLINK_NOFOLLOW) == 0
        {
            _ = fchmodat(folder, name, 0o700, AT_SYMLINK_NOFOLLOW)
        }
        let opened = openat(folder, name, O_RDONLY | flags)
        guard opened < 0, errno == EACCES else { return opened }
        // Of a link, which the C library refuses to follow here, nothing is changed.
        if fchmodat(folder, name, 0o700, AT_SYMLINK_NOFOLLOW) == 0 { return openat(folder, name, O_RDONLY | flags) }
        errno = EACCES
        return -1
    }

    /// A removal that is under way.
    private final class Removal {
        let path: String
        var root: Int32 = -1
        var device: dev_t = 0
        var entries = 0
        /// The number in the name of the last folder that was moved up.
        var moved = 0
        var failure: Failure?

        init(path: String) { self.path = path }

        func run() -> Failure? {
            root = FolderRemoval.open(AT_FDCWD, path, on: nil)
            guard root >= 0 else { return unopened() }
            defer { close(root) }
            var info = stat()
            guard fstat(root, &info) == 0 else { return failed(errno) }
            device = info.st_dev
            // What is moved up while it is being read may be seen in this pass or not.
            fchmod(root, 0o700)
            var before: Int
            repeat {
                before = entries
                each(in: root, empty)
            } while entries > before && entries < maxEntries
            if let failure { return failure }
            return rmdir(path) == 0 || errno == ENOENT ? nil : failed(errno)
        }

        private func unopened() -> Failure? {
            switch errno {
            case ENOENT: return nil
            case ENOTDIR, ELOOP: return unlink(path) == 0 || errno == ENOENT ? nil : failed(errno)
            default: return failed(errno)
            }
        }

        /// Removes what is in the outermost folder, or empties it of all but folders, which come up beside it.
        private func empty(_ name: [CChar]) {
            guard remove(name, from: root) == .full else { return }
            let folder = FolderRemoval.open(root, name, on: device)
            guard folder >= 0 else { return note(name, errno) }
            defer { close(folder) }
            var info = stat()
            guard fstat(folder, &info) == 0 else { return note(name, errno) }
            // It may have been mounted since.
            guard info.st_dev == device else { return note(name, EXDEV) }
            fchmod(folder, 0o700)
            each(in: folder) { inner in
                if remove(inner, from: folder) == .full { moveUp(inner, from: folder) }
            }
            _ = remove(name, from: root)
        }

        private enum Outcome {
            case gone
            /// A folder with something in it.
            case full
            /// It cannot be removed, which is noted.
            case kept
        }

        /// Removes a file, a link or an empty folder.
        private func remove(_ name: [CChar], from folder: Int32) -> Outcome {
            var isGone = unlinkat(folder, name, 0) == 0 || errno == ENOENT
            var error = errno
            if !isGone, error == EISDIR || error == EPERM {
                isGone = unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT
                if !isGone, errno == ENOTEMPTY || errno == EEXIST { return .full }
                if errno != ENOTDIR { error = errno }
            }
            if isGone {
                entries += 1
                return .gone
            }
            note(name, error)
            return .kept
        }

        private func moveUp(_ name: [CChar], from folder: Int32) {
            var isOpened = false
            while true {
                moved += 1
                if renameat(folder, name, root, "crowbar-removed-\(moved)") == 0 {
                    entries += 1
                    return
                }
                switch errno {
                // The plugin has one of that name.
                case EEXIST, ENOTEMPTY, ENOTDIR: continue
                // A folder that its owner may not write cannot be moved, as it holds where it lies.
                case EACCES where !isOpened:
                    isOpened = true
                    let opened = FolderRemoval.open(folder, name, on: device)
                    if opened >= 0 { close(opened) }
                default:
                    return note(name, errno)
                }
            }
        }

        private func note(_ name: [CChar], _ error: Int32) {
            let text = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let shown = PluginLog.printable(String(text.prefix(shownName)))
            failure =
                failure
                ?? Failure(
                    description: "'\(shown)' in '\(path)' cannot be removed: \(String(cString: strerror(error)))")
        }

        private func failed(_ error: Int32) -> Failure {
            Failure(description: "'\(path)' cannot be removed: \(String(cString: strerror(error)))")
        }

        /// Calls with each name in a folder, as bytes with a zero at their end, no more than are removed at most.
        private func each(in folder: Int32, _ body: ([CChar]) -> Void) {
            let copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard copy >= 0, let handle = fdopendir(copy) else {
                let error = errno
                if copy >= 0 { close(copy) }
                failure = failure ?? failed(error)
                return
            }
            defer { closedir(handle) }
            while entries < maxEntries {
                errno = 0
                guard let entry = readdir(handle) else {
                    if errno != 0 { failure = failure ?? failed(errno) }
                    return
                }
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                        Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
                    }
                }
                if name == [0x2E, 0] || name == [0x2E, 0x2E, 0] { continue }
                body(name)
            }
        }
    }
}
