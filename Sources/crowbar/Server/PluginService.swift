import CrowbarCore
import CrowbarHTTP
import Logging
import ServiceLifecycle

/// The place where the plugin host is wired to the rest of the server, and the only file that would know it.
struct PluginService: Service {
    let configuration: Configuration
    let ingest: Ingest
    let log: any EventLog
    let logger: Logger

    /// Runs until a graceful shutdown.
    func run() async throws {
        try? await gracefulShutdown()
    }

    /// What `crowbar plugins`, `cursor` and `dead-letters` show.
    var listings: APIConfiguration.Listings {
        APIConfiguration.Listings(
            plugins: { Array("[]".utf8) }, cursors: { _ in nil }, deadLetters: { _ in nil })
    }

    /// Something that `crowbar check` has to say.
    struct Finding: Sendable, CustomStringConvertible {
        var isError: Bool
        var description: String
    }

    /// Checks the manifests and what the plugins say to their configuration.
    static func check(_ configuration: Configuration) async -> [Finding] { [] }
}
