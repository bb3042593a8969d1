import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

/// Receivers that break the rules, each beside a healthy one that must not notice.
@Suite struct FaultyReceiverTests {
    /// `faulty.py`, running.
    private struct Faulty {
        let process: LineProcess
        let port: Int64

        init() async throws {
            let script = #filePath.dropLast("FaultyReceiverTests.swift".count) + "faulty.py"
            let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
            process = try LineProcess(
                "/usr/bin/env", arguments: ["python3", String(script)], environment: ["PATH=\(path)"])
            port = try await process.first("the port", within: .seconds(20)) { try JSON(parsing: $0)["port"]?.int }
        }

        func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }

        /// The requests that came and were not taken, as they came.
        func unread() throws -> [JSON] { try process.unread.map { try JSON(parsing: $0) } }

        func request(_ path: String) async throws -> JSON {
            try await process.first("a request", within: .seconds(10)) {
                let json = try JSON(parsing: $0)
                return json["path"]?.string == path ? json : nil
            }
        }
    }

    /// What becomes of a delivery: nil stands for an acknowledgement, else the code of the retry.
    @Test(
        arguments: [
            ("/drip", "timeout"), ("/drip-body", nil), ("/endless/200", nil), ("/endless/500", "http_500"),
            ("/endless-head", "transfer"), ("/endless-100", "transfer"), ("/bomb/200", nil), ("/bomb/503", "http_503"),
            ("/unzippable", nil), ("/zipped", nil), ("/hang", nil), ("/silent", "timeout"),
            ("/reset", "transfer"), ("/reset-midway", nil), ("/short", nil), ("/continue", nil),
            ("/moved/302/http://127.0.0.1:1/secret", "redirect"), ("/moved/307//elsewhere", "redirect"),
            ("/moved/308/http://10.0.0.1/secret", "redirect"), ("/closes-behind", nil), ("/closes-before", nil),
            ("/http10", nil), ("/http09", "transfer"), ("/nonsense", "transfer"), ("/999", "http_999"),
        ] as [(String, String?)])
    func eachFaultHasItsOutcome(_ path: String, _ code: String?) async throws {
        let faulty = try await Faulty()
        let webhook = try await WebhookProcess([
            endpoint("faulty", faulty.url(path), .init("timeout", .string("1500ms"))),
            endpoint("healthy", faulty.url("/ok")),
        ])
        try await webhook.start()
        let rounds: Int64 = path.hasPrefix("/closes") ? 5 : 1
        for round in 1...rounds {
            try await webhook.deliver(round, to: "faulty")
            for delivery in round * 100...round * 100 + 20 { try await webhook.deliver(delivery, to: "healthy") }
            try await webhook.acks(Set(round * 100...round * 100 + 20).union(code == nil ? [round] : []))
        }
        if let code {
            let retry = try await webhook.retry(1)
            #expect(retry.code == code)
            #expect(retry.counted)
            #expect(!retry.message.contains("secret"))
            if code == "redirect" { #expect(retry.message.contains("to the host '")) }
        }
        // And it goes on afterwards, on the connection that it has.
        try await webhook.deliver(9999, to: "healthy")
        try await webhook.acks([9999])
        let requests = try faulty.unread().filter { $0["path"]?.string == path }
        if path == "/closes-before" {
            // A request whose connection goes as it comes is sent again by another one.
            #expect(Set(requests.compactMap { $0["id"]?.string }) == ["e1", "e2", "e3", "e4", "e5"])
        } else {
            #expect(requests.count == Int(rounds))
        }
    }

    @Test func anAnswerThatDoesNotBeginIsGivenUpBeforeTheWholeTimeIsOver() async throws {
        let faulty = try await Faulty()
        let webhook = try await WebhookProcess([
            endpoint("silent", faulty.url("/silent"), .init("timeout", .string("50s")))
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "silent")
        let retry = try await webhook.retry(1, within: .seconds(30))
        #expect(retry.code == "timeout")
        #expect(retry.message == "no answer began within 15 s")
    }

    @Test func aBombTakesNoMemory() async throws {
        let faulty = try await Faulty()
        let webhook = try await WebhookProcess([endpoint("bomb", faulty.url("/bomb/200"))])
        try await webhook.start()
        for delivery in Int64(1)...32 { try await webhook.deliver(delivery, to: "bomb") }
        try await webhook.acks(Set(1...32), within: .seconds(60))
        let status = ProcessFile.text(of: "/proc/\(webhook.plugin.process.pid)/status")
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        let peak = try #require(Int(line.split(separator: " ")[1]))
        // The one answer alone is 64 MiB, and 32 of them come at once.
        #expect(peak < 64 << 10, "\(peak) KiB")
    }
}

/// Files of /proc.
enum ProcessFile {
    static func text(of path: String) -> String {
        let file = open(path, O_RDONLY)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(file, &bytes, bytes.count)
        return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
    }
}
