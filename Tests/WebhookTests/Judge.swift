import CrowbarTesting
import JSONBytes

/// Judges requests by packages of PyPI, `judge.py`.
struct Judge {
    private let process: LineProcess

    /// Starts it.
    init() async throws {
        let folder = String(#filePath.dropLast("Judge.swift".count))
        process = try LineProcess(
            folder + "../../.build/test-python/bin/python", arguments: ["-I", folder + "judge.py"])
        let _: Bool = try await process.first(
            "the judge (script/bootstrap --tests installs Tests/WebhookTests/requirements.txt)", within: .seconds(60)
        ) { line in try JSON(parsing: line)["ready"]?.bool }
    }

    /// What a judge finds right about a request.
    /// - Returns: Its finding, or `error` with why it refuses the request.
    func judge(_ request: Receiver.Request, by judge: String, secret: String = "") async throws -> JSON {
        let question = JSON.object([
            .init("by", .string(judge)), .init("secret", .string(secret)), .init("headers", request.headers),
            .init("body", .string(request.body)),
        ])
        try await process.send(line: question.bytes)
        return try await process.first("the judge's answer") { try JSON(parsing: $0) }
    }

    /// Whether a key signed a request: `whsec_…` by the package standardwebhooks, `whsk_…` by cryptography.
    func isSigned(_ request: Receiver.Request, with secret: String) async throws -> Bool {
        let by = secret.hasPrefix("whsk_") ? "ed25519" : "standardwebhooks"
        return try await judge(request, by: by, secret: secret)["ok"]?.bool ?? false
    }
}
