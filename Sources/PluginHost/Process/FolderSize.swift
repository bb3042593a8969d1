import CSpawn
import Dispatch
import Glibc

/// What a plugin's own folder takes of the disk.
///
/// The folder is the plugin's, which may be hostile: symbolic links are not followed, other file systems are left out,
/// a file with several names counts once, and the look ends at so many entries and so deep. What cannot be counted to
/// its end is over every limit.
struct FolderSize: Sendable, Equatable {
    /// Bounds of a look.
    enum Limit {
        /// Files and folders.
        static let entries = 100_000
        /// Folders within folders: each holds a descriptor meanwhile.
        static let depth = 32
    }

    /// Bytes that are taken on the disk, folders included; holes in files are not.
    var bytes: Int64 = 0
    /// Files and folders.
    var entries = 0
    /// Why it could not be counted to its end.
    var problem: String?

    /// Looks through a folder, on a thread of its own, since it may take long.
    /// - Returns: Nil where it cannot be told now: there is no such folder, or no descriptor to be had.
    static func measured(_ path: String) async -> FolderSize? {
        await withCheckedContinuation { continuation in
            DispatchQueue.global(qos: .utility).async { continuation.resume(returning: measure(path)) }
        }
    }

    /// As ``measured(_:)``, on this thread.
    static func measure(_ path: String, entries: Int = Limit.entries, depth: Int = Limit.depth) -> FolderSize? {
        var info = stat()
        // It may belong to a user of the plugin's own, who closes it to an ordinary server.
        var own: uid_t = 0
        let folder = CSpawn_enter(path, &own)
        defer { CSpawn_leave(own) }
        guard folder >= 0 else {
            switch -folder {
            // Not there, or a link in its place.
            case ENOENT, ENOTDIR, ELOOP: return nil
            // The host's own want.
            case EMFILE, ENFILE, ENOMEM: return nil
            default: return FolderSize(problem: "'\(path)' cannot be opened: \(String(cString: strerror(-folder)))")
            }
        }
        guard fstat(folder, &info) == 0 else {
            close(folder)
            return nil
        }
        var walk = Walk(device: info.st_dev, entries: entries, depth: depth)
        walk.size.bytes = Int64(info.st_blocks) * 512
        walk.enter(folder, path, 0)
        return walk.isCutShort ? nil : walk.size
    }

    /// Why the plugin must not run, and what to do; nil where it may.
    /// - Parameter isReplay: Whether it is the folder of a replay, which says itself how it goes on.
    func refusal(_ manifest: Manifest, folder: String, isReplay: Bool = false) -> String? {
        let start = isReplay ? "" : ", then 'crowbar plugins start \(manifest.name)'"
        if let problem {
            return "its folder cannot be measured: \(problem); clean up '\(folder)'\(start)"
        }
        guard bytes > manifest.diskLimit else { return nil }
        return "its folder '\(folder)' takes \(Self.text(bytes)) of the disk, and limits.disk allows "
            + "\(Self.text(manifest.diskLimit)); remove what it does not need, or set disk under [limits] in "
            + "\(manifest.file)\(start)"
    }

    /// A size for people.
    static func text(_ bytes: Int64) -> String {
        for (unit, factor) in [("GB", Int64(1) << 30), ("MB", 1 << 20)] where bytes >= factor {
            let tenths = bytes / (factor / 10)
            return tenths % 10 == 0 ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
        }
        return "\((bytes + 1_023) >> 10) KB"
    }
}

/// A look through a folder that is under way.
private struct Walk {
    let device: dev_t
    let entries: Int
    let depth: Int
    var size = FolderSize()
    /// The host has no descriptors or memory left: that is not the plugin's fault.
    var isCutShort = false
    /// Files with several names that were counted.
    private var seen: Set<ino_t> = []

    init(device: dev_t, entries: Int, depth: Int) {
        self.device = device
        self.entries = entries
        self.depth = depth
    }

    private var isOver: Bool { isCutShort || size.problem != nil }

    /// Counts what is in a folder, and closes it.
    mutating func enter(_ folder: Int32, _ path: String, _ level: Int) {
        guard let handle = fdopendir(folder) else {
            close(folder)
            isCutShort = true
            return
        }
        defer { closedir(handle) }
        while !isOver {
            errno = 0
            guard let entry = readdir(handle) else {
                if errno != 0 { fail(path, "read") }
                return
            }
            // The name's own bytes: one that is no UTF-8 would be looked for in vain under another.
            withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { count($0, dirfd(handle), path, level) }
            }
        }
    }

    private mutating func count(_ name: UnsafePointer<CChar>, _ folder: Int32, _ path: String, _ level: Int) {
        if strcmp(name, ".") == 0 || strcmp(name, "..") == 0 { return }
        size.entries += 1
        guard size.entries <= entries else {
            size.problem = "it holds over \(entries) files and folders"
            return
        }
        var info = stat()
        guard fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 else {
            // Gone meanwhile. All else hides what may be large: a folder without x lets nobody look at what is in it.
            if errno != ENOENT { fail(path, "looked into") }
            return
        }
        guard info.st_dev == device else { return }
        let isFolder = info.st_mode & S_IFMT == S_IFDIR
        if !isFolder, info.st_nlink > 1, !seen.insert(info.st_ino).inserted { return }
        size.bytes += Int64(info.st_blocks) * 512
        guard isFolder else { return }
        guard level + 1 < depth else {
            size.problem = "it holds folders within folders, over \(depth) deep"
            return
        }
        let next = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        let shown = path + "/" + String(cString: name)
        if next >= 0 { return enter(next, shown, level + 1) }
        // Else another thing has taken its place.
        if errno != ENOENT, errno != ENOTDIR, errno != ELOOP { fail(shown, "opened") }
    }

    private mutating func fail(_ path: String, _ what: String) {
        switch errno {
        case EMFILE, ENFILE, ENOMEM: isCutShort = true
        default: size.problem = "'\(path)' cannot be \(what): \(String(cString: strerror(errno)))"
        }
    }
}
