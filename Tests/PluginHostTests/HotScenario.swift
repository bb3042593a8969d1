import Foundation
import JSONBytes
import PluginHost
import Testing

// What the tests of reload, handover and control share: a plugin whose configuration says how it behaves.
extension HostScenario {
    static let hot = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Plugins/hot.py").path

    func manifest(_ name: String) -> URL { folder.appending(path: "plugins.d/\(name).toml") }

    /// Writes a manifest that runs the plugin, in the way of editors: aside, and then renamed.
    func hot(_ name: String, config: String = "", _ keys: String = #"types = ["MESSAGE_SENT"]"#) throws {
        let text = "command = [\"\(Self.hot)\"]\n\(keys)\n[config]\n\(config)\n"
        try text.write(to: manifest(name), atomically: true, encoding: .utf8)
    }

    /// How many times each message was delivered, in the order of their first time.
    func texts(_ plugin: String) -> [String] { seen(plugin).compactMap { $0["message"]?.string } }

    /// The tags under which the messages came.
    func tags(_ plugin: String) -> [String] {
        seen(plugin).filter { $0["message"]?.string != nil }.map { $0["tag"]?.string ?? "" }
    }

    func state(_ host: PluginHost, _ name: String) async throws -> String {
        try await states(host)[name]?.state ?? "none"
    }

    func reason(_ host: PluginHost, _ name: String) async throws -> String {
        try await states(host)[name]?.reason ?? ""
    }

    func waitLive(_ host: PluginHost, _ names: String...) async throws {
        for name in names {
            try await wait("\(name) to be live") { try await state(host, name) == "live" }
        }
    }
}
