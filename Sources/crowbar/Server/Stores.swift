import CrowbarCore
import CrowbarSQLite
import Glibc
import OpenSSL

/// What stands in the data folder, opened under its lock: a second process on the same folder is refused.
struct Stores: Sendable {
    /// The data folder, locked as long as this lives.
    let folder: DataFolder
    /// The log.
    let log: SQLiteLog
    /// The plugin host's bookkeeping.
    let host: SQLiteHostStore
    /// The accounts.
    let accounts: AccountsDatabase
    /// Up to where users have read; nil where the stores were opened for reading.
    let markers: SQLiteMarkers?

    /// What the stores are opened for.
    enum Purpose {
        /// To serve: makes the data folder where there is none, and upgrades databases of an older format.
        case serving
        /// To change something: upgrades databases of an older format.
        case changing
        /// To read: makes and upgrades nothing, and is refused where that would be needed.
        case reading
    }

    /// Opens the stores.
    /// - Parameter onUpgrade: Is called with each database that was upgraded, as it was before.
    /// - Throws: ``Refusal`` where another process has the folder, or a file cannot be opened.
    init(
        _ configuration: Configuration, for purpose: Purpose,
        onUpgrade: (DatabaseFormat) -> Void = { StandardStream.error.write(line: "note: \(Stores.words($0))") }
    ) throws {
        let create = purpose == .serving
        // All that is made from here on is for the owner's eyes.
        umask(0o077)
        do {
            let random = try SecureRandom.bytes(32)
            if create { try DataFolder.requireOwn(configuration.data) }
            folder = try DataFolder(path: configuration.data, create: create)
            if purpose == .reading { try DatabaseFormat.requireCurrent(in: folder.path) }
            let formats = DatabaseFormat.all(in: folder.path)
            try DatabaseFormat.refuseNewer(formats)
            // Told one by one: where the next one cannot be opened, this one has its new format all the same.
            func opened(_ file: String) { formats.filter { $0.name == file && $0.isOlder }.forEach(onUpgrade) }
            log = try SQLiteLog(
                path: folder.file("log.db"), now: Clock.milliseconds, random32: { random })
            opened("log.db")
            host = try SQLiteHostStore(path: folder.file("host.db"))
            opened("host.db")
            accounts = try AccountsDatabase(path: folder.file("accounts.db"))
            opened("accounts.db")
            // Nothing that only reads needs them, and reading makes no file.
            markers = purpose == .reading ? nil : try SQLiteMarkers(path: folder.file("markers.db"))
        } catch let error as DataFolderError {
            if case .inUse = error {
                throw Refusal("\(error); end that one, or set data (or CROWBAR_DATA) to another folder")
            }
            throw Refusal(Self.text(error, configuration, create))
        } catch {
            throw Refusal(Self.text(error, configuration, create))
        }
    }

    /// An upgrade in words.
    static func words(_ upgraded: DatabaseFormat) -> String {
        "\(FolderPath.shown(upgraded.path)) was upgraded from format \(upgraded.found) to \(upgraded.supported); the "
            + "version before cannot open it any more"
    }

    /// An error in words; where a verb only wants to read and the disk lets nobody write, with a way to do so.
    private static func text(_ error: any Error, _ configuration: Configuration, _ create: Bool) -> String {
        let rescue = create ? nil : DataFolder.rescue(configuration.data)
        return "\(error)" + (rescue.map { "; " + $0 } ?? "")
    }

    /// The only writer of the log; its `run` must run.
    func makeIngest(
        checks: CommandChecks? = nil, metrics: IngestMetrics? = nil,
        onFailure: @escaping @Sendable (any Error) -> Void = { _ in }
    ) -> Ingest {
        let ids = EventIDSource(now: Clock.milliseconds, random: { UInt64.random(in: 0 ... .max) })
        return Ingest(
            log: log, newEventID: { ids.next() }, hash: { SHA256.hash($0) }, checks: checks, metrics: metrics,
            onFailure: onFailure)
    }

    /// Deletes and erases messages and users.
    /// - Parameter note: Is called with what was done, in words.
    func erasure(_ ingest: Ingest, note: @escaping @Sendable (String) -> Void = { _ in }) -> ErasureService {
        ErasureService(ingest: ingest, eraser: log, accounts: self, note: note)
    }

    /// Runs ingest for one piece of work, for verbs without a server.
    func withIngest(_ work: (Ingest) async throws -> Void) async throws {
        let ingest = makeIngest()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await ingest.run() }
            try await work(ingest)
            group.cancelAll()
        }
    }
}

/// The system's clocks.
enum Clock {
    /// Milliseconds on the monotonic clock, which stands for intervals alone.
    @Sendable static func monotonic() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Unix time in milliseconds.
    @Sendable static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}
