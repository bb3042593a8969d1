import CrowbarTesting
import Glibc
import JSONBytes

/// An AWS of its own, `aws_world.py`: moto's server, behind a door that tells of each request of the plugin.
struct AWSWorld {
    /// The account that the plugin's own credentials are of.
    static let account = "123456789012"

    /// One request, as it came.
    struct Request: Sendable {
        var service: String
        var target: String
        var headers: JSON
        var body: String
        /// Whether botocore's signer comes to the same signature.
        var isSigned: Bool
        /// What it was answered with.
        var status: Int64
    }

    /// One message of a queue.
    struct Message: Sendable, Equatable {
        var body: String
        var group: String?
        var deduplication: String?
    }

    /// Where it listens.
    let port: Int64
    private let process: LineProcess

    /// Starts it on a free port of the loopback.
    init() async throws {
        let folder = String(#filePath.dropLast("AWSWorld.swift".count))
        let python = folder + "../../.build/test-python/bin/python"
        process = try LineProcess(python, arguments: ["-I", folder + "aws_world.py"])
        port = try await process.first(
            "moto's port (script/bootstrap installs Tests/AWSTests/requirements.txt)", within: .seconds(60)
        ) { line in try JSON(parsing: line)["port"]?.int }
    }

    /// Its URL.
    var url: String { "http://127.0.0.1:\(port)" }

    /// A target's table: a name, an ARN in this world, its endpoint, and what else is given.
    func target(_ name: String, _ resource: String, _ more: JSON.Member...) -> JSON {
        .object(
            [
                .init("name", .string(name)), .init("arn", .string("arn:aws:\(resource)")),
                .init("endpoint", .string(url)),
            ] + more)
    }

    /// Takes the next request to a service.
    func request(_ service: String, within limit: Duration = .seconds(20)) async throws -> Request {
        try await process.first("a request to \(service)", within: limit) { line in
            let json = try JSON(parsing: line)
            guard json["service"]?.string == service else { return nil }
            return Request(
                service: service, target: json["target"]?.string ?? "", headers: json["headers"] ?? .null,
                body: json["body"]?.string ?? "", isSigned: json["signed"]?.bool ?? false,
                status: json["status"]?.int ?? 0)
        }
    }

    /// Has the next requests to a service answered with a fault.
    /// - Parameters:
    ///   - wait: Seconds before the answer.
    ///   - type: `x-amzn-errortype`.
    func fail(
        _ service: String, times: Int64 = 1, _ status: Int64, wait: Double = 0, type: String? = nil,
        _ body: String = "{}"
    ) async throws {
        let headers = type.map { [JSON.Member("x-amzn-ErrorType", .string($0))] } ?? []
        let fault = JSON.object([
            .init("service", .string(service)), .init("times", .int(times)), .init("status", .int(status)),
            .init("body", .string(body)), .init("wait", .double(wait)), .init("headers", .object(headers)),
        ])
        try await process.send(line: JSON.object([.init("fault", fault)]).bytes)
        let _: Bool = try await process.first("the fault's note") { try JSON(parsing: $0)["noted"]?.bool }
    }

    /// All messages that a queue holds now.
    func receive(_ queue: String) async throws -> [Message] {
        try await process.send(line: JSON.object([.init("receive", .string(queue))]).bytes)
        return try await process.first("the messages of \(queue)", within: .seconds(60)) { line in
            try JSON(parsing: line)["messages"]?.array?.map { message in
                Message(
                    body: message["body"]?.string ?? "", group: message["group"]?.string,
                    deduplication: message["deduplication"]?.string)
            }
        }
    }
}
