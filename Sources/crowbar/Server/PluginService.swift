import CrowbarCore
import CrowbarHTTP
import CrowbarSQLite
import Glibc
import JSONBytes
import Logging
import OpenSSL
import PluginHost
import ServiceLifecycle
import Settings

/// The place where the plugin host is wired to the rest of the server, and the only file that knows it.
struct PluginService: Service {
    let host: PluginHost

    /// Reads the manifests. What is wrong with one is that plugin's own trouble; the rest run.
    /// - Throws: ``Refusal`` where the folder of manifests is there and cannot be read.
    init(
        _ configuration: Configuration, _ stores: Stores, _ ingest: Ingest, _ checks: CheckCoordinator, _ logger: Logger
    ) throws {
        var environment = Self.environment(
            log: stores.log, store: stores.host, ingest: ingest, checks: checks,
            dataFolder: Self.absolute(configuration.data) + "/plugins",
            isolation: Self.isolation(configuration), logger: logger)
        let channels = ChannelCheck(stores)
        environment.missingChannels = channels.missing
        environment.privateChannels = channels.privateChannels
        if let text = MissingPlugins.text(configuration) {
            let rest = "; plugins start once it is there"
            logger.log(level: configuration.isPluginFolderNamed ? .error : .notice, "\(text)\(rest)")
        }
        do {
            host = try PluginHost(folder: Self.absolute(configuration.plugins), environment: environment)
        } catch {
            throw Refusal("\(error)")
        }
    }

    /// Runs until a graceful shutdown, then until the plugins have ended.
    func run() async throws {
        await withGracefulShutdownHandler {
            await host.run()
        } onGracefulShutdown: { [host] in
            host.stop(why: "the server is shutting down")
        }
    }

    /// What `crowbar plugins`, `cursor` and `dead-letters` show.
    var listings: APIConfiguration.Listings {
        let host = host
        return APIConfiguration.Listings(
            plugins: { try await host.listing().bytes },
            cursors: { name in
                let (plugin, queue) = Self.parts(name)
                guard try await host.knows(plugin) else { return nil }
                return try await Self.answer { try await host.cursors(of: plugin, queue: queue) }
            },
            deadLetters: { name in
                guard let name else { return try await host.deadLetters(of: nil, queue: nil).bytes }
                let (plugin, queue) = Self.parts(name)
                guard try await host.knows(plugin) else { return nil }
                return try await Self.answer { try await host.deadLetters(of: plugin, queue: queue) }
            })
    }

    /// `NAME` or `NAME/QUEUE`.
    static func parts(_ name: String) -> (plugin: String, queue: String?) {
        guard let slash = name.firstIndex(of: "/") else { return (name, nil) }
        return (String(name[..<slash]), String(name[name.index(after: slash)...]))
    }

    /// Checks the manifests and what the plugins say to their configuration.
    ///
    /// Plugins are started to be asked, on a log of their own that is thrown away, so that a running server does not
    /// notice and a folder without data is left as it is.
    static func check(_ configuration: Configuration) async throws -> [PluginCheck.Finding] {
        // What is there and cannot be looked at is found below.
        if let text = MissingPlugins.text(configuration) {
            // One that was named is an error of its setting.
            return (configuration.isPluginFolderNamed ? [] : [.init(isError: false, text: text)])
                + (await ChannelCheck.open(configuration).check?.hookFindings() ?? [])
        }
        var template = Array("/tmp/crowbar-check-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Refusal("no temporary folder can be made under /tmp") }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { try? FolderRemoval.remove(folder) }
        // Plugins may be asked as users of their own, which have to come through.
        chmod(folder, 0o711)
        let quiet = Logger("crowbar.check", LogSettings(configuration.log), level: .critical)
        let store: SQLiteHostStore
        let log: SQLiteLog
        do {
            store = try SQLiteHostStore(path: folder + "/host.db")
            let random = try SecureRandom.bytes(32)
            log = try SQLiteLog(path: folder + "/log.db", now: Clock.milliseconds, random32: { random })
        } catch {
            throw Refusal("\(error)")
        }
        let ids = EventIDSource(now: Clock.milliseconds, random: { UInt64.random(in: 0 ... .max) })
        let ingest = Ingest(log: log, newEventID: { ids.next() }, hash: { SHA256.hash($0) })
        var environment = environment(
            log: log, store: store, ingest: ingest, dataFolder: folder + "/plugins",
            isolation: isolation(configuration, beside: folder), logger: quiet)
        let (channels, notes) = ChannelCheck.open(configuration)
        environment.missingChannels = channels?.missing
        environment.privateChannels = channels?.privateChannels
        do {
            let findings = try await PluginCheck.run(folder: absolute(configuration.plugins), environment: environment)
            return findings + notes + (await channels?.hookFindings() ?? [])
        } catch {
            throw Refusal("\(error)")
        }
    }

    /// What a replay works with: bookkeeping of its own, and no way into the log.
    static func replayEnvironment(
        _ configuration: Configuration, log: SQLiteLog, folder: String, store: String
    ) throws -> HostEnvironment {
        let logger = Logger(
            "crowbar.replay", LogSettings(configuration.log), level: max(.warning, configuration.log.level))
        // Never run: a replay refuses commands before they come here, and one that did would wait for ever.
        let ingest = Ingest(log: log, newEventID: { "" }, hash: { SHA256.hash($0) })
        return environment(
            log: log, store: try SQLiteHostStore(path: folder + "/" + store), ingest: ingest,
            dataFolder: folder + "/plugins", isolation: isolation(configuration), logger: logger)
    }

    /// What keeps plugins from the data folder.
    /// - Parameter beside: Where nothing may be written to the data folder: another folder for what is noted.
    static func isolation(_ configuration: Configuration, beside: String? = nil) -> PluginIsolation {
        let data = absolute(configuration.data)
        let name = "/plugin-users"
        if let beside, let known = try? SmallFile.read(data + name) { write(known, to: beside + name) }
        let file = (beside ?? data) + name
        let users: PluginUsers?
        switch configuration.pluginUsers {
        case .off: users = nil
        case .automatic: users = PluginUsers(range: PluginUsers.usualRange, isRequired: false, file: file, folder: data)
        case .range(let range): users = PluginUsers(range: range, isRequired: true, file: file, folder: data)
        }
        return PluginIsolation(
            hidden: [data] + (beside.map { [$0] } ?? []),
            kept: [absolute(configuration.plugins), absolute(configuration.file)], mayExpose: configuration.exposeData,
            users: users)
    }

    private static func write(_ bytes: [UInt8], to path: String) {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { return }
        _ = Glibc.write(file, bytes, bytes.count)
        close(file)
    }

    static func environment(
        log: any EventLog, store: any HostStore, ingest: Ingest,
        checks: CheckCoordinator = CheckCoordinator(now: Clock.monotonic),
        dataFolder: String, isolation: PluginIsolation, logger: Logger
    ) -> HostEnvironment {
        let variables = Self.variables
        let beside = Self.binaryFolder
        let ids = EventIDSource(now: Clock.milliseconds, random: { UInt64.random(in: 0 ... .max) })
        var environment = HostEnvironment(
            log: log, store: store, ingest: ingest, checks: checks, dataFolder: dataFolder,
            launcher: beside + "/crowbar-launch",
            searchPath: [beside] + (variables["PATH"] ?? "").split(separator: ":").map(String.init),
            now: Clock.monotonic, unixNow: Clock.milliseconds, random: { Double.random(in: 0..<1) },
            hmac: { HMACSHA256.authenticate(key: $0, $1) }, newID: { ids.next() }, environment: variables,
            logger: logger)
        environment.isolation = isolation
        return environment
    }

    /// A path from the root: a plugin works in a folder of its own, where a relative one would mean another place.
    static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        return String(cString: folder) + "/" + (path.hasPrefix("./") ? String(path.dropFirst(2)) : path)
    }

    /// The folder of this program, where its own plugins and the launcher lie.
    private static var binaryFolder: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let path = String(decoding: buffer[..<max(count, 0)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    }

    private static var variables: [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        return variables
    }
}
