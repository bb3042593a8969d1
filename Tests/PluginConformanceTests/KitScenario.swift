import CrowbarTesting
import Foundation
import JSONBytes
import PluginConformance
import Testing

/// `crowbar plugins test` of a manifest in a folder of its own.
struct KitScenario {
    static let plugins = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Plugins").path
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    let folder: TemporaryFolder
    let manifest: String

    init(_ name: String, _ text: String) throws {
        folder = try TemporaryFolder()
        manifest = folder.path + "/\(name).toml"
        try text.write(toFile: manifest, atomically: true, encoding: .utf8)
    }

    /// What the kit says.
    struct Outcome {
        var status: LineProcess.End
        var output: [String]
        var errors: String

        /// The report, where `--json` was asked for.
        var report: JSON? { output.last.flatMap { try? JSON(parsing: Array($0.utf8)) } }

        func rules(_ verdict: String) -> [JSON] {
            report?["rules"]?.array?.filter { $0["verdict"]?.string == verdict } ?? []
        }

        /// The numbers of the rules with a verdict.
        func numbers(_ verdict: String) -> Set<String> { Set(rules(verdict).compactMap { $0["rule"]?.string }) }

        var text: String { (output + [errors]).joined(separator: "\n") }
    }

    /// Runs a verb of `crowbar plugins` with the manifest.
    /// - Parameter input: What is typed.
    func run(_ verb: String = "test", arguments: [String], input: [String] = []) async throws -> Outcome {
        let process = try LineProcess(
            PluginProcess.product("crowbar"), arguments: ["plugins", verb, manifest] + arguments,
            environment: ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent", "CROWBAR_PLUGINS=" + folder.path])
        for line in input { try await process.send(line: Array(line.utf8)) }
        process.closeInput()
        let status = try await process.end(within: .seconds(300))
        return Outcome(
            status: status, output: process.unread.map { String(decoding: $0, as: UTF8.self) },
            errors: process.standardError)
    }
}
