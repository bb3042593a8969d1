import CrowbarTesting
import Glibc
import Testing

/// What `deploy/` promises, judged by programs in Python: `Judges`. Nothing of it needs a network or an account.
///
/// A judge ends with status 0 after the line `judged: N`, or says on standard error what is not so.
@Suite(.serialized, .timeLimit(.minutes(15))) struct DeployTests {
    private static let tests = String(#filePath.dropLast("DeployTests.swift".count))
    private static let build = tests + "../../.build"

    /// Runs a judge.
    /// - Parameters:
    ///   - environment: The environment of Python packages: `test-deploy` or `test-python`.
    ///   - minimum: The least number of things that it judges.
    private func judge(_ name: String, _ arguments: String..., in environment: String, minimum: Int) async throws {
        // If this does not start, script/bootstrap --tests was not run.
        let process = try LineProcess(
            Self.build + "/\(environment)/bin/python", arguments: ["-I", Self.tests + "Judges/\(name).py"] + arguments,
            environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/nonexistent", "LANG=C.UTF-8"])
        process.closeInput()
        let end = try await process.end(within: .seconds(600))
        let output = process.unread.map { String(decoding: $0, as: UTF8.self) }
        let reason: Comment = "\(output.suffix(50).joined(separator: "\n"))\n\(process.standardError.suffix(8_000))"
        try #require(end == .exited(0), reason)
        let count = output.last.flatMap { $0.hasPrefix("judged: ") ? Int($0.dropFirst("judged: ".count)) : nil }
        #expect(try #require(count, reason) >= minimum, reason)
    }

    @Test func theModulesAreFormatted() async throws {
        try await judge("terraform_judge", "format", in: "test-deploy", minimum: 2)
    }

    /// Terraform itself checks every argument, type and reference, with the schema of the provider's bindings.
    @Test func theModulesAreValid() async throws {
        try await judge("terraform_judge", "validate", in: "test-deploy", minimum: 11)
    }

    @Test func variablesRefuseWhatCannotWork() async throws {
        try await judge("terraform_judge", "variables", in: "test-deploy", minimum: 100)
    }

    @Test func checkovFindsNothing() async throws {
        try await judge("checkov_judge", in: "test-deploy", minimum: 100)
    }

    /// The example, applied with stubs: its policies evaluated, its queues and bucket in moto.
    @Test func theModulesDoWhatTheyPromise() async throws {
        try await judge("aws_judge", in: "test-python", minimum: 150)
    }

    /// The post-confirmation function, the credentials program and CloudFront's function.
    @Test func theProgramsDoWhatTheyPromise() async throws {
        try await judge("function_judge", in: "test-python", minimum: 75)
    }

    /// The unit's exposure, and `crowbar check` of the example's configuration.
    @Test func theUnitAndTheConfigurationAreAccepted() async throws {
        let programs = String(PluginProcess.product("crowbar").dropLast("/crowbar".count))
        let port = try LoopbackPort.free()
        try await judge("configuration_judge", programs, "\(port)", in: "test-deploy", minimum: 10)
    }
    /// The instance's start script, run to its end in a copy-on-write view of this machine.
    @Test(.enabled(if: geteuid() == 0, "needs root for mounts")) func theInstanceStarts() async throws {
        try await judge("start_judge", in: "test-deploy", minimum: 35)
    }
}
