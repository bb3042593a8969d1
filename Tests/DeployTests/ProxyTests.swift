import CrowbarTesting
import Testing

/// docs/how-to/run-behind-nginx.md and run-behind-caddy.md, with the real programs in front of the server
/// (docs/decisions/0131-streams-behind-proxies.md).
@Suite(.timeLimit(.minutes(5))) struct ProxyTests {
    private static let judge = String(#filePath.dropLast("ProxyTests.swift".count)) + "Judges/proxy_judge.py"

    /// How many seconds a stream must stay open: twice the timeout that the judge gives the proxies.
    private static let seconds = 40

    @Test(arguments: ["nginx", "caddy"]) func theHowToWorks(_ proxy: String) async throws {
        let programs = String(PluginProcess.product("crowbar").dropLast("/crowbar".count))
        let ports = try (0..<3).map { _ in "\(try LoopbackPort.free())" }
        let process = try LineProcess(
            "/usr/bin/env", arguments: ["python3", "-I", Self.judge, proxy, programs, "\(Self.seconds)"] + ports,
            environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"])
        process.closeInput()
        let end = try await process.end(within: .seconds(240))
        let output = process.unread.map { String(decoding: $0, as: UTF8.self) }
        let reason = output.suffix(20).joined(separator: "\n") + "\n\(process.standardError.suffix(8_000))"
        #expect(end == .exited(0), "\(reason)")
        #expect(output.last?.hasPrefix("judged: ") == true)
    }
}
