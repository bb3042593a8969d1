import Dispatch
import Glibc

/// A folder that files are published to.
///
/// A file is written under a temporary name, synced and renamed, so that readers see the old content or the new one. No
/// symbolic link below the folder is followed. A mark in the folder says that it is Crowbar's, and of which log: only
/// there are files deleted that this server does not know of, and a folder of another log is refused.
final class FolderStore: PublishStore {
    /// The file that marks the folder.
    static let mark = PublishTarget.folderMark
    /// How temporary names begin and end.
    private static let (temporary, ending) = (".crowbar-", ".tmp")
    /// Names of a folder that are looked at, at most.
    private static let maxNames = 1_000_000

    let verifyInterval: Int64 = 30_000

    private let path: String
    /// Disks can be slow, so the calls have a thread of their own.
    private let queue = DispatchQueue(label: "crowbar.publish.folder")

    init(_ path: String) { self.path = path }

    func list(of log: String) async throws -> [PublishedFile: String?] {
        try await run { () throws(PublishFailure) in try self.found(log) }.get()
    }

    func write(_ file: PublishedFile, _ body: [UInt8], position: Int64, replacing tag: String?) async -> PublishResult {
        await end { () throws(PublishFailure) in try self.put(file, body) }
    }

    func delete(_ file: PublishedFile, position: Int64) async -> PublishResult {
        await end { () throws(PublishFailure) in try self.remove(file) }
    }

    private func run<T: Sendable>(
        _ body: @escaping @Sendable () throws(PublishFailure) -> T
    ) async -> Result<T, PublishFailure> {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: Result { () throws(PublishFailure) in try body() }) }
        }
    }

    private func end(_ body: @escaping @Sendable () throws(PublishFailure) -> PublishResult) async -> PublishResult {
        switch await run(body) {
        case .success(let result): result
        case .failure(let failure): .targetFailed(failure)
        }
    }

    // MARK: Files

    private func put(_ file: PublishedFile, _ body: [UInt8]) throws(PublishFailure) -> PublishResult {
        let (folder, name) = try self.folder(of: file, isMade: true)
        defer { close(folder) }
        if let tag = Self.tag(of: name, in: folder, ifContentIs: body) { return .written(tag: tag) }
        let temporary = "\(Self.temporary)\(getpid())\(Self.ending)"
        unlinkat(folder, temporary, 0)
        let new = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard new >= 0 else { throw failure("'\(temporary)' cannot be made in '\(shown(file))'") }
        defer { close(new) }
        // The server's umask hides what it makes from others, and this is for others.
        guard fchmod(new, 0o644) == 0, Self.writeAll(body, to: new), fsync(new) == 0 else {
            let failure = failure("'\(shown(file))' cannot be written")
            unlinkat(folder, temporary, 0)
            throw failure
        }
        guard renameat(folder, temporary, folder, name) == 0 else {
            let code = errno
            let failure = failure("'\(shown(file))' cannot be replaced")
            unlinkat(folder, temporary, 0)
            // A folder of that name, say, is in the way of this file only.
            if code == EISDIR || code == ENOTEMPTY || code == EEXIST { return .fileFailed(failure) }
            throw failure
        }
        fsync(folder)
        return .written(tag: Self.tag(new))
    }

    private func remove(_ file: PublishedFile) throws(PublishFailure) -> PublishResult {
        let (folder, name) = try self.folder(of: file, isMade: false)
        guard folder >= 0 else { return .gone }
        defer { close(folder) }
        guard unlinkat(folder, name, 0) == 0 || errno == ENOENT else {
            let code = errno
            let failure = failure("'\(shown(file))' cannot be deleted")
            if code == EISDIR { return .fileFailed(failure) }
            throw failure
        }
        fsync(folder)
        return .gone
    }

    /// How the line of the mark begins that names the log.
    private static let logLine = "log: "

    /// Marks the folder as that of a log.
    /// - Returns: Whether it was marked before.
    /// - Throws: ``PublishFailure`` if it is another log's.
    private func mark(_ base: Int32, _ log: String) throws(PublishFailure) -> Bool {
        let text =
            "Crowbar publishes views to this folder, and deletes files of channels that are gone.\n"
            + "\(Self.logLine)\(log)\n"
        let new = openat(base, Self.mark, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        if new >= 0 {
            defer { close(new) }
            guard Self.writeAll(Array(text.utf8), to: new), fsync(new) == 0 else {
                let failure = failure("'\(Self.mark)' cannot be written in '\(path)'")
                unlinkat(base, Self.mark, 0)
                throw failure
            }
            return false
        }
        guard errno == EEXIST else { throw failure("'\(Self.mark)' cannot be made in '\(path)'") }
        let old = openat(base, Self.mark, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard old >= 0 else { throw failure("'\(path)/\(Self.mark)' cannot be read") }
        defer { close(old) }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = read(old, &bytes, bytes.count)
        guard count >= 0 else { throw failure("'\(path)/\(Self.mark)' cannot be read") }
        if count == 0, unlinkat(base, Self.mark, 0) == 0 {
            // The server ended before it wrote the mark.
            return try mark(base, log)
        }
        let lines = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
        guard lines.contains("\(Self.logLine)\(log)") else {
            throw PublishFailure(
                "the folder '\(path)' has views that were published from another log, or from before a restore; set "
                    + "another folder, or delete the files in it, '\(Self.mark)' too")
        }
        return true
    }

    private func found(_ log: String) throws(PublishFailure) -> [PublishedFile: String?] {
        let base = try self.base()
        defer { close(base) }
        let isOwn = try mark(base, log)
        var found: [PublishedFile: String?] = [:]
        for folder in [""] + PublishedFile.folders {
            let opened =
                folder.isEmpty
                ? dup(base) : openat(base, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard opened >= 0 else {
                if errno == ENOENT { continue }
                throw failure("'\(path)/\(folder)' cannot be opened", isLink: Self.isLink(folder, in: base))
            }
            try look(into: opened, named: folder, isOwn: isOwn, &found)
        }
        return found
    }

    /// Collects the published files of a folder and removes temporary ones. Takes the descriptor.
    private func look(
        into folder: Int32, named name: String, isOwn: Bool, _ found: inout [PublishedFile: String?]
    ) throws(PublishFailure) {
        guard let handle = fdopendir(folder) else {
            close(folder)
            throw failure("'\(path)/\(name)' cannot be read")
        }
        defer { closedir(handle) }
        rewinddir(handle)
        var count = 0
        while let entry = readdir(handle), count < Self.maxNames {
            count += 1
            let text = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if text.hasPrefix(Self.temporary), text.hasSuffix(Self.ending) {
                unlinkat(folder, text, 0)
            } else if isOwn, let file = PublishedFile(name.isEmpty ? text : "\(name)/\(text)") {
                var info = stat()
                guard fstatat(folder, text, &info, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
                found[file] = .some(info.st_mode & S_IFMT == S_IFREG ? Self.tag(info) : nil)
            }
        }
    }

    // MARK: Folders

    private func base() throws(PublishFailure) -> Int32 {
        if mkdir(path, 0o755) == 0 { chmod(path, 0o755) }
        let base = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard base >= 0 else { throw failure("the folder '\(path)' cannot be opened") }
        return base
    }

    /// The folder of a file, opened, and the file's name in it.
    /// - Parameter isMade: Whether it is made where it is missing; else its descriptor is then below 0.
    private func folder(of file: PublishedFile, isMade: Bool) throws(PublishFailure) -> (Int32, String) {
        let base = try self.base()
        let parts = file.path.split(separator: "/").map(String.init)
        guard parts.count == 2 else { return (base, file.path) }
        defer { close(base) }
        if isMade, mkdirat(base, parts[0], 0o755) == 0 { fchmodat(base, parts[0], 0o755, 0) }
        let folder = openat(base, parts[0], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard folder >= 0 || (errno == ENOENT && !isMade) else {
            throw failure("'\(path)/\(parts[0])' cannot be opened", isLink: Self.isLink(parts[0], in: base))
        }
        return (folder, parts[1])
    }

    private static func isLink(_ name: String, in folder: Int32) -> Bool {
        let code = errno
        defer { errno = code }
        var info = stat()
        return fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_mode & S_IFMT == S_IFLNK
    }

    // MARK: Contents

    /// The tag of a file that has a content already; nil where it has another one.
    private static func tag(of name: String, in folder: Int32, ifContentIs body: [UInt8]) -> String? {
        let file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var info = stat()
        guard fstat(file, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size == body.count else { return nil }
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        var offset = 0
        while offset < body.count {
            let count = read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0, offset + count <= body.count, body[offset..<offset + count].elementsEqual(chunk[..<count])
            else { return nil }
            offset += count
        }
        return tag(info)
    }

    private static func tag(_ file: Int32) -> String? {
        var info = stat()
        return fstat(file, &info) == 0 ? tag(info) : nil
    }

    /// What changes when somebody else writes the file.
    private static func tag(_ info: stat) -> String {
        "\(info.st_ino)-\(info.st_size)-\(info.st_mtim.tv_sec).\(info.st_mtim.tv_nsec)"
    }

    private static func writeAll(_ bytes: [UInt8], to file: Int32) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count {
                let count = Glibc.write(file, buffer.baseAddress?.advanced(by: offset), buffer.count - offset)
                if count < 0, errno == EINTR { continue }
                if count <= 0 { return false }
                offset += count
            }
            return true
        }
    }

    private func shown(_ file: PublishedFile) -> String { "\(path)/\(file.path)" }

    /// What the system says, with what to do.
    private func failure(_ what: String, isLink: Bool = false) -> PublishFailure {
        if isLink { return PublishFailure("\(what): it is a symbolic link, which is not followed; remove it") }
        let advice =
            switch errno {
            case EACCES, EPERM: "; let user \(geteuid()) write it"
            case ENOSPC, EDQUOT: "; free some space"
            case ENOENT: "; make the folder above it"
            case ENOTDIR: "; it is a file: remove it, or set another target"
            default: ""
            }
        return PublishFailure("\(what): \(String(cString: strerror(errno)))\(advice)")
    }
}
