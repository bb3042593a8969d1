import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

/// A service that says more than it was asked, by the server of the webhooks' tests (`surplus.py`).
@Suite struct SurplusTests {
    private struct Service {
        let process: LineProcess
        let port: Int64

        init() async throws {
            let script = #filePath.dropLast("AWSTests/SurplusTests.swift".count) + "WebhookTests/surplus.py"
            let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
            process = try LineProcess(
                "/usr/bin/env", arguments: ["python3", String(script)], environment: ["PATH=\(path)"])
            port = try await process.first("the port", within: .seconds(20)) { try JSON(parsing: $0)["port"]?.int }
        }

        func target() -> JSON {
            .object([
                .init("name", .string("f")),
                .init("arn", .string("arn:aws:lambda:eu-west-1:123456789012:function:audit")),
                .init("endpoint", .string("http://127.0.0.1:\(port)")),
            ])
        }

        func write(_ text: String, close: Bool) async throws {
            let order = JSON.object([.init("write", .string(text)), .init("close", .bool(close))])
            try await process.send(line: order.bytes)
            let _: Bool = try await process.first("the surplus") { try JSON(parsing: $0)["written"]?.bool }
        }

        func connection() async throws -> Int64 {
            try await process.first("a request") { try JSON(parsing: $0)["connection"]?.int }
        }
    }

    @Test(arguments: [
        ("HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\nextra", false),
        ("HTTP/1.1 408 Request Time-out\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", true), ("\r\n", false),
        ("", true),
    ])
    func whatComesBetweenTwoEventsAnswersNeither(_ text: String, close: Bool) async throws {
        let service = try await Service()
        let aws = try await AWSProcess([service.target()])
        try await aws.start()
        try await aws.deliver(1, to: "f")
        try await aws.acks([1])
        try await service.write(text, close: close)
        try await aws.deliver(2, to: "f")
        // The service's own answer, at the first try.
        let retry = try await aws.retry(2)
        #expect(retry.code == "http_500" && retry.counted, "\(retry)")
        #expect(try await service.connection() == 1)
        #expect(try await service.connection() == 2)
        #expect(service.process.unread.isEmpty)
    }
}
