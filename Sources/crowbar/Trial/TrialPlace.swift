import CrowbarCore
import CrowbarSQLite
import Glibc
import Logging
import OpenSSL
import PluginHost
import Settings
import Synchronization

/// A log, a store and data folders that are thrown away, for a plugin that is tried or tested. A running server does
/// not notice, and its data is left as it is.
struct TrialPlace {
    /// The Unix time, moved by so many milliseconds.
    final class MovableClock: Sendable {
        private let offset = Mutex<Int64>(0)

        @Sendable func now() -> Int64 { Clock.milliseconds() + offset.withLock { $0 } }
        @Sendable func move(_ milliseconds: Int64) { offset.withLock { $0 += milliseconds } }
    }

    let folder: String
    let environment: HostEnvironment
    let clock = MovableClock()

    /// Makes a place under `/tmp`.
    init(_ configuration: Configuration, level: Logger.Level) throws {
        var template = Array("/tmp/crowbar-trial-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Refusal("no temporary folder can be made under /tmp") }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // Plugins may run as users of their own, which have to come through.
        chmod(folder, 0o711)
        let logger = Logger("crowbar.trial", LogSettings(configuration.log), level: level)
        do {
            let store = try SQLiteHostStore(path: folder + "/host.db")
            let random = try SecureRandom.bytes(32)
            let log = try SQLiteLog(path: folder + "/log.db", now: clock.now, random32: { random })
            let ids = EventIDSource(now: clock.now, random: { UInt64.random(in: 0 ... .max) })
            let checks = CheckCoordinator(now: Clock.monotonic)
            let ingest = Ingest(
                log: log, newEventID: { ids.next() }, hash: { SHA256.hash($0) }, checks: checks.checks)
            var environment = PluginService.environment(
                log: log, store: store, ingest: ingest, checks: checks, dataFolder: folder + "/plugins",
                isolation: PluginService.isolation(configuration, beside: folder), logger: logger)
            environment.unixNow = clock.now
            self.environment = environment
        } catch {
            try? FolderRemoval.remove(folder)
            throw Refusal("\(error)")
        }
    }

    func remove() { try? FolderRemoval.remove(folder) }

    /// Reads the manifest that a verb names: a plugin of the folder of manifests, or a file.
    static func manifest(_ name: String, _ configuration: Configuration) throws -> Manifest {
        let isFile = name.contains("/") || name.hasSuffix(".toml")
        let plugins = PluginService.absolute(configuration.plugins)
        let path = isFile ? PluginService.absolute(name) : "\(plugins)/\(name).toml"
        guard access(path, F_OK) == 0 else {
            throw Refusal("there is no manifest '\(path)'; name a plugin of '\(plugins)', or a file NAME.toml")
        }
        do { return try PluginFolder.manifest(at: path) } catch { throw Refusal(error.quoting) }
    }
}
