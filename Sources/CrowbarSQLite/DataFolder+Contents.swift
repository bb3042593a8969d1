import Glibc

// What a folder must hold, and must not, to be a data folder.
extension DataFolder {
    /// What the server makes in its data folder, and what file systems and administrators put into folders; also what
    /// stands beside a server that is started in its data folder (`data = "."`).
    private static let ownNames: Set<String> = [
        "crowbar.lock", "crowbar.sock", "admin.key", "admin.key.new", "setup-link", "setup-link.new", "plugins",
        "replays", "plugin-users",
        "plugin-users.new", "lost+found", "crowbar.toml", "plugins.d",
    ]
    /// The databases beside the log whose loss is one: no server has them without a log, nor a log without them.
    private static let besideLog = ["accounts.db", "host.db"]
    /// The databases beside the log that a server makes where they are missing without a word: one that can be computed
    /// from the log, and one that no server before this version had, and that says only where people were reading.
    private static let dispensable = ["views.db", "markers.db"]
    /// Names of a folder that are looked at.
    private static let maxNames = 10_000

    /// Makes sure that a server may make a folder its data folder, or has done so: what a server left there has its
    /// log, and a folder with other files is somebody else's. Hidden files count as nobody's. Nothing is changed.
    /// - Throws: ``DataFolderError/logMissing(path:found:)``, ``DataFolderError/foreign(path:file:)``.
    public static func requireOwn(_ path: String) throws(DataFolderError) {
        guard let names = FolderPath.names(in: path, limit: maxNames) else { return }
        // Behind the listing: the log is the first database that a server makes, which may be starting just now.
        if access(path + "/log.db", F_OK) == 0 { return }
        let found = names.filter { isDatabase($0) }.sorted()
        if !found.isEmpty { throw .logMissing(path: path, found: found) }
        let foreign = names.filter { !$0.hasPrefix(".") && !ownNames.contains($0) }.sorted()
        if let file = foreign.first { throw .foreign(path: path, file: file) }
    }

    /// The databases that are missing beside a log.
    public static func missingBesideLog(_ path: String) -> [String] {
        guard access(path + "/log.db", F_OK) == 0 else { return [] }
        return besideLog.filter { access(path + "/" + $0, F_OK) != 0 && errno == ENOENT }
    }

    /// A warning for a database that is missing beside a log, and that a server makes again.
    public static func warning(_ path: String, missing file: String) -> String {
        let loss = file == "accounts.db" ? "nobody has an account or a token" : "plugins begin where they do at first"
        return "there is no \(FolderPath.shown(path + "/" + file)) beside the log: the server makes an empty one, with "
            + "which \(loss); if it was lost, restore it from a backup"
    }

    private static func isDatabase(_ name: String) -> Bool {
        ["log.db-wal", "log.db-journal"].contains(name)
            || (besideLog + dispensable).contains { name == $0 || name == $0 + "-wal" }
    }

    /// Makes sure that this process may work in a folder: it makes files there all the time.
    static func requireAccess(_ path: String) throws(DataFolderError) {
        if faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) == 0 { return }
        let code = errno
        var info = stat()
        if code == EACCES, stat(path, &info) == 0, info.st_uid == geteuid() {
            throw .closed(path: path, mode: UInt32(info.st_mode) & 0o7777)
        }
        throw failure(path, "cannot be written", code)
    }

    /// Why this process may not use a folder or what is in it: it most often belongs to another user.
    public static func denial(_ path: String, file: String, _ action: String) -> DataFolderError {
        if geteuid() != 0, let owner = FolderPath.owner(path), owner.user != geteuid() {
            return .otherOwner(path: path, folder: owner.folder, user: owner.user)
        }
        return .failed(path: file, action: action, cause: .permissionDenied)
    }

    /// How to get at the data where the file system of the folder does not let anybody write; nil where it does.
    public static func rescue(_ path: String) -> String? {
        var info = statvfs()
        let isReadOnly = statvfs(path, &info) == 0 && info.f_flag & 1 != 0
        guard isReadOnly || StorageCause.isFull(path) else { return nil }
        return "to read the data as it is, copy the folder to another disk with 'cp -a' while no server runs, and set "
            + "CROWBAR_DATA to the copy"
    }
}
