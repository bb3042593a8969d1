import CrowbarCore
import Glibc
import JSONBytes
import PluginHost
import Synchronization

/// What `crowbar status` shows.
final class ServerStatus: Sendable {
    /// Files that are looked at for the size of the data folder.
    private static let maxFiles = 100_000

    private let dataFolder: String
    private let log: any EventLog
    private let plugins: @Sendable () async throws -> [UInt8]
    private let started: (unix: Int64, monotonic: Int64)
    private let address = Mutex<String?>(nil)

    init(dataFolder: String, log: any EventLog, plugins: @escaping @Sendable () async throws -> [UInt8]) {
        self.dataFolder = dataFolder
        self.log = log
        self.plugins = plugins
        started = (Clock.milliseconds(), Clock.monotonic())
    }

    /// Notes where the API listens.
    func note(address text: String) { address.withLock { $0 = text } }

    /// The status as JSON.
    func json() async throws -> [UInt8] {
        var (head, problem): (LogEntryID?, String?)
        do { head = try await log.head() } catch { problem = "\(error)" }
        let health = Self.health((try? JSON(parsing: try await plugins()))?.array ?? [])
        var json = JSONWriter()
        json.beginObject()
        json.member("version", CrowbarVersion.current)
        json.member("address", ifPresent: address.withLock { $0 })
        json.member("pid", getpid())
        json.member("started", started.unix)
        json.member("uptimeSeconds", (Clock.monotonic() - started.monotonic) / 1000)
        json.key("log")
        json.beginObject()
        if problem == nil { json.member("position", head?.position ?? 0) }
        json.member("eventId", ifPresent: head?.eventId)
        json.member("problem", ifPresent: problem)
        json.endObject()
        json.key("plugins")
        json.beginObject()
        for level in Self.levels {
            json.key(level)
            json.beginArray()
            for name in health[level] ?? [] { json.string(name) }
            json.endArray()
        }
        json.endObject()
        json.key("disk")
        json.beginObject()
        json.member("folder", dataFolder)
        json.member("usedBytes", Self.size(of: dataFolder))
        var space = statvfs()
        if statvfs(dataFolder, &space) == 0 {
            json.member("freeBytes", Int64(space.f_bavail) * Int64(space.f_frsize))
            json.member("totalBytes", Int64(space.f_blocks) * Int64(space.f_frsize))
        }
        json.endObject()
        json.endObject()
        return json.bytes
    }

    /// The levels of health, best first; `off` is what is not meant to run.
    static let levels = ["ok", "degraded", "down", "off"]

    /// The plugins of a listing by their health.
    static func health(_ plugins: [JSON]) -> [String: [String]] {
        Dictionary(grouping: plugins) { health(of: $0) }.mapValues { $0.compactMap { $0["name"]?.string } }
    }

    /// A plugin's health: as the listing states it, else from its state and what it says of itself.
    private static func health(of plugin: JSON) -> String {
        if let health = plugin["health"]?.string, levels.contains(health) { return health }
        switch plugin["state"]?.string {
        case "live", "catchingUp":
            let level = plugin["status"]?["level"]?.string ?? "ok"
            return level == "ok" && plugin["reason"]?.string != nil ? "degraded" : level
        case "starting", "draining", "paused": return "degraded"
        case "stopped": return "off"
        default: return "down"
        }
    }

    /// The bytes that a folder takes on the disk, of as many files as are looked at.
    private static func size(of folder: String) -> Int64 {
        var (folders, files, bytes) = ([folder], 0, Int64(0))
        while let path = folders.popLast(), files < maxFiles {
            guard let handle = opendir(path) else { continue }
            defer { closedir(handle) }
            while files < maxFiles, let entry = readdir(handle) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                var info = stat()
                if name == "." || name == ".." || lstat(path + "/" + name, &info) != 0 { continue }
                files += 1
                bytes += Int64(info.st_blocks) * 512
                if info.st_mode & S_IFMT == S_IFDIR { folders.append(path + "/" + name) }
            }
        }
        return bytes
    }
}
