import CrowbarTesting
import Foundation
import JSONBytes
import Testing

@testable import PluginHost

/// Manifests that run the test plugin `prober.py`, and what it found.
extension HostScenario {
    static let prober = folder(of: plugin) + "/prober.py"
    static let oldKernel = folder(of: plugin) + "/old_kernel.py"

    private static func folder(of path: String) -> String {
        URL(filePath: path).deletingLastPathComponent().path
    }

    /// The interpreter itself, not a script that finds it, and the folder of its libraries.
    static let python: (program: String, prefix: String) = {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-c", "import sys; print(sys.executable); print(sys.base_prefix)"]
        process.standardOutput = output
        guard (try? process.run()) != nil else { return ("python3", "/usr") }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let lines = text.split(separator: "\n").map(String.init)
        return lines.count == 2 ? (lines[0], lines[1]) : ("python3", "/usr")
    }()

    /// Adds a manifest that runs the prober.
    /// - Parameter tables: TOML in front of `[config]`.
    func addProber(_ name: String, _ tables: String = "", config: String) throws {
        let text = """
            command = ["\(Self.python.program)", "\(Self.prober)"]
            \(tables)
            [config]
            \(config)
            """
        try text.write(to: folder.appending(path: "plugins.d/\(name).toml"), atomically: true, encoding: .utf8)
    }

    /// `[sandbox]` with what the interpreter needs to run.
    static func sandbox(read: [String] = [], keys: String = "") -> String {
        let paths = ([python.prefix] + read).map { "\"\($0)\"" }.joined(separator: ", ")
        return "[sandbox]\nread = [\(paths)]\n\(keys)"
    }

    /// What a prober found, under the name of what it tried; the first time or, for its daemon, the second.
    func found(_ plugin: String, _ key: String, daemon: Bool = false) -> String? {
        let values = seen(plugin).compactMap { $0[key]?.string }
        return daemon ? values.dropFirst().first : values.first
    }

    /// A server that nobody needs to answer, and its port.
    static func listener() throws -> (file: Int32, port: Int) {
        let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(file, generic, length) == 0 && listen(file, 16) == 0 && getsockname(file, generic, &length) == 0
            }
        }
        try #require(status)
        return (file, Int(UInt16(bigEndian: address.sin_port)))
    }
}
