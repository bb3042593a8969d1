import CrowbarTesting
import Testing

/// The libraries of `sdk/`, and the JSON Schema of the protocol: tested in their own languages, started from here.
/// Nothing of it needs a network.
@Suite(.serialized, .timeLimit(.minutes(15))) struct SDKTests {
    private static let tests = String(#filePath.dropLast("SDKTests.swift".count))
    private static let root = tests + "../../"
    private static let python = root + ".build/test-python/bin/python"

    /// Runs a program to its end and returns its output.
    private func run(_ program: String, _ arguments: [String]) async throws -> [String] {
        // If this does not start, script/bootstrap --tests was not run.
        let process = try LineProcess(
            program, arguments: arguments,
            environment: [
                "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent", "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1",
            ])
        process.closeInput()
        let end = try await process.end(within: .seconds(600))
        let output = process.unread.map { String(decoding: $0, as: UTF8.self) }
        let reason: Comment = "\(output.suffix(80).joined(separator: "\n"))\n\(process.standardError.suffix(8_000))"
        try #require(end == .exited(0), reason)
        return output
    }

    /// Runs pytest and expects at least so many tests to pass.
    private func pytest(_ path: String, minimum: Int) async throws {
        let arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", Self.root + "sdk/python/pyproject.toml"]
        let output = try await run(Self.python, arguments + [path])
        let passed = output.last?.firstMatch(of: /(\d+) passed/).flatMap { Int($0.1) } ?? 0
        #expect(passed >= minimum, "\(output.suffix(20).joined(separator: "\n"))")
    }

    /// The schema, the tables of docs/protocol.md and the pages of docs/protocol name the same fields, and the examples
    /// there validate.
    @Test func theSchemaIsThatOfTheProtocol() async throws {
        try await pytest(Self.tests + "test_schema.py", minimum: 45)
    }

    @Test func theWheelWorksInACleanEnvironment() async throws {
        try await pytest(Self.tests + "test_wheel.py", minimum: 1)
    }

    @Test func thePythonLibrary() async throws {
        try await pytest(Self.root + "sdk/python/tests", minimum: 75)
    }

    @Test func theJavaScriptLibrary() async throws {
        let folder = Self.root + "sdk/javascript/tests/"
        let files = ["examples", "plugin", "reload", "settling"].map { "\(folder)\($0).test.js" }
        let output = try await run("/usr/bin/env", ["node", "--test"] + files)
        // The reporter is TAP or another one, by what standard output is.
        let passed = output.compactMap { $0.firstMatch(of: /^\S+ pass (\d+)$/).flatMap { Int($0.1) } }.last ?? 0
        #expect(passed >= 50, "\(output.suffix(20).joined(separator: "\n"))")
    }

    /// Each example as a plugin of a real server.
    @Test(arguments: ["python", "javascript"]) func theExamplesInARealServer(language: String) async throws {
        let programs = String(PluginProcess.product("crowbar").dropLast("/crowbar".count))
        let output = try await run(Self.python, [Self.tests + "examples_judge.py", programs, language])
        let judged = output.last.flatMap { $0.hasPrefix("judged: ") ? Int($0.dropFirst("judged: ".count)) : nil } ?? 0
        #expect(judged >= 15, "\(output.suffix(20).joined(separator: "\n"))")
    }
}
