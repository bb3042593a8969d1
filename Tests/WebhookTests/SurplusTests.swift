import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

/// `surplus.py`, running.
struct SurplusReceiver {
    /// One request: who asked, and over which connection, counted from 1.
    struct Request: Sendable, Equatable {
        var id: String
        var connection: Int64
    }

    /// Where it listens.
    let port: Int64
    /// Its certificate's file, where it speaks TLS.
    let caFile: String?
    private let process: LineProcess

    /// Starts it; with TLS it must be stopped by ``stop()``.
    init(tls: Bool = false) async throws {
        let script = #filePath.dropLast("SurplusTests.swift".count) + "surplus.py"
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        process = try LineProcess(
            "/usr/bin/env", arguments: ["python3", String(script)] + (tls ? ["--tls"] : []),
            environment: ["PATH=\(path)"])
        (port, caFile) = try await process.first("the port", within: .seconds(20)) { line in
            let json = try JSON(parsing: line)
            return json["port"]?.int.map { ($0, json["ca"]?.string) }
        }
    }

    /// The URL of a path of it.
    func url(_ path: String) -> String {
        caFile == nil ? "http://127.0.0.1:\(port)\(path)" : "https://localhost:\(port)\(path)"
    }

    /// The URL that is answered by a text as it stands.
    func url(answering text: String) -> String {
        url(
            "/raw/"
                + text.utf8.map { byte in
                    let digits = String(byte, radix: 16)
                    return "%" + (digits.count == 1 ? "0" : "") + digits
                }.joined())
    }

    /// Writes a text on the connection that was used last, and ends it if wanted; returns when the client has it.
    func write(_ text: String, close: Bool = false) async throws {
        try await process.send(line: JSON.object([.init("write", .string(text)), .init("close", .bool(close))]).bytes)
        let _: Bool = try await process.first("the surplus") { try JSON(parsing: $0)["written"]?.bool }
    }

    /// Takes the next request.
    func request() async throws -> Request {
        try await process.first("a request") { line in
            let json = try JSON(parsing: line)
            guard let id = json["id"]?.string, let connection = json["connection"]?.int else { return nil }
            return Request(id: id, connection: connection)
        }
    }

    /// The requests that came and were not taken; it does not wait.
    var unread: Int { process.unread.count }

    /// Ends it, so that it takes its certificate away.
    func stop() async throws {
        process.closeInput()
        _ = try await process.end()
    }
}

/// Answers that are not to the request that is open.
@Suite struct SurplusTests {
    private static let extra = "HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\nextra"
    private static let timeout = "HTTP/1.1 408 Request Time-out\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    /// What comes in on a connection that waits for the next event, and whether it ends with it.
    @Test(
        arguments: [
            (extra, false), (extra, true), (timeout, true), (timeout, false), ("\r\n", false), ("HTTP/1.1 2", false),
            ("", true),
        ], [false, true])
    func whatComesBetweenTwoEventsAnswersNeither(_ surplus: (text: String, close: Bool), tls: Bool) async throws {
        let receiver = try await SurplusReceiver(tls: tls)
        let ca = receiver.caFile.map { [JSON.Member("ca_file", .string($0))] } ?? []
        let base = try #require(endpoint("a", receiver.url("/in")).members)
        let webhook = try await WebhookProcess([.object(base + ca)])
        try await webhook.start()
        try await webhook.deliver(1, to: "a")
        try await webhook.acks([1])
        try await receiver.write(surplus.text, close: surplus.close)
        try await webhook.deliver(2, to: "a")
        // The receiver's own answer, at the first try.
        let retry = try await webhook.retry(2)
        #expect(retry.code == "http_500" && retry.message.contains("real"), "\(retry)")
        #expect(try await receiver.request() == .init(id: "e1", connection: 1))
        #expect(try await receiver.request() == .init(id: "e2", connection: 2))
        // What is kept then is in step again.
        try await webhook.deliver(3, to: "a")
        #expect(try await webhook.retry(3).code == "http_500")
        #expect(try await receiver.request() == .init(id: "e3", connection: 2))
        #expect(receiver.unread == 0)
        try await receiver.stop()
    }

    /// The answer is there before the receiver has the request, which only the kernel and libcurl can tell.
    @Test func anAnswerThatIsThereBeforeTheRequestIsOutIsNotItsOwn() async throws {
        let receiver = try await SurplusReceiver()
        let webhook = try await WebhookProcess([endpoint("a", receiver.url("/early"))])
        try await webhook.start()
        try await webhook.deliver(1, to: "a")
        try await webhook.acks([1])
        let text = String(repeating: "x", count: 700_000)
        try await webhook.deliver(
            2, to: "a", event: #"{"eventId":"e2","type":"MESSAGE_SENT","message":"\#(text)"}"#)
        let retry = try await webhook.retry(2)
        #expect(retry.code == "http_500" && retry.message.contains("real"), "\(retry)")
        #expect(try await receiver.request().connection == 1)
        // Once in vain, and once more on a new connection.
        #expect(try await receiver.request() == .init(id: "e2", connection: 1))
        #expect(try await receiver.request() == .init(id: "e2", connection: 2))
    }

    /// A large body that the receiver reads to its end is no reason to connect again.
    @Test func anAnswerToTheWholeOfALargeRequestIsItsOwn() async throws {
        let receiver = try await SurplusReceiver()
        let webhook = try await WebhookProcess([endpoint("a", receiver.url("/ok"))])
        try await webhook.start()
        for (i, size) in [1, 900, 1100, 16_000, 17_000, 60_000, 200_000, 700_000].enumerated() {
            let (n, text) = (Int64(i + 1), String(repeating: "x", count: size))
            try await webhook.deliver(
                n, to: "a", event: #"{"eventId":"e\#(n)","type":"MESSAGE_SENT","message":"\#(text)"}"#)
            try await webhook.acks([n])
            #expect(try await receiver.request() == .init(id: "e\(n)", connection: 1))
        }
    }

    /// Endpoints of one host and port, and of two hosts behind one proxy.
    @Test(arguments: [false, true]) func endpointsShareNoConnection(proxy: Bool) async throws {
        let receiver = try await SurplusReceiver()
        func one(_ name: String) -> JSON {
            proxy
                ? endpoint(
                    name, "http://\(name).test/ok", .init("via_proxy", .string("http://127.0.0.1:\(receiver.port)")))
                : endpoint(name, receiver.url("/ok"))
        }
        let webhook = try await WebhookProcess([one("a"), one("b")])
        try await webhook.start()
        for n in Int64(1)...6 {
            try await webhook.deliver(n, to: n % 2 == 1 ? "a" : "b")
            try await webhook.acks([n])
            #expect(try await receiver.request() == .init(id: "e\(n)", connection: n % 2 == 1 ? 1 : 2))
        }
    }
}

/// Answers by their bytes.
@Suite struct AnswerTests {
    private static let event =
        #"{"eventId":"e1","timestamp":1795459389123,"type":"MESSAGE_SENT","userId":"ann","userName":"Ann","#
        + #""channelId":"general","message":"hi"}"#

    /// The receiver's clock is an hour ahead, or years behind; what counts is how long it asks to wait.
    @Test(
        arguments: [
            ("Date: Fri, 15 Jan 2100 09:00:00 GMT", "Fri, 15 Jan 2100 09:00:03 GMT", 3000...3000),
            ("Date: Wed, 15 Jan 2020 09:00:00 GMT", "Wed, 15 Jan 2020 09:00:10 GMT", 10_000...10_000),
            // It asks for no wait that is not over.
            ("Date: Wed, 15 Jan 2020 09:00:11 GMT", "Wed, 15 Jan 2020 09:00:10 GMT", 4000...6000),
            ("X-No: date", "Wed, 15 Jan 2020 09:00:10 GMT", 4000...6000),
        ])
    func aDateIsReadByTheClockThatWroteIt(_ date: String, _ until: String, _ wait: ClosedRange<Int64>) async throws {
        let receiver = try await SurplusReceiver()
        let answer = "HTTP/1.1 429 X\r\n\(date)\r\nRetry-After: \(until)\r\nContent-Length: 0\r\n\r\n"
        let webhook = try await WebhookProcess([endpoint("a", receiver.url(answering: answer))])
        try await webhook.start()
        try await webhook.deliver(1, to: "a")
        let retry = try await webhook.retry(1)
        #expect(!retry.counted && wait.contains(retry.afterMs ?? 0), "\(retry)")
    }

    private static let page = "<!DOCTYPE html><title>Sign in</title>"

    /// The answer's type and body, and whether a preset's endpoint counts the event as delivered. Slack's `ok` has the
    /// type text/html.
    @Test(
        arguments: [
            ("text/html; charset=utf-8", page, false), ("Text/HTML", "\n " + page, false),
            ("application/xhtml+xml", "\u{FEFF}<html/>", false), ("text/html", "ok", true),
            ("text/html", "", true), ("text/plain", "ok", true), ("application/json", "{}", true),
            ("text/plain", page, true), ("text/htmlx", page, true),
        ], ["slack", "discord", "mattermost"])
    func aPageForPeopleConfirmsNothing(_ answer: (type: String, body: String, delivers: Bool), preset: String)
        async throws
    {
        let receiver = try await SurplusReceiver()
        let length = answer.body.utf8.count
        let head = "HTTP/1.1 200 X\r\nContent-Type: \(answer.type)\r\nContent-Length: \(length)\r\n\r\n"
        let url = receiver.url(answering: head + answer.body)
        let webhook = try await WebhookProcess([
            endpoint("chat", url, .init("body", .string(preset))), endpoint("plain", url),
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "chat", event: Self.event)
        if answer.delivers {
            try await webhook.acks([1])
        } else {
            let retry = try await webhook.retry(1)
            #expect(retry.code == "web_page" && retry.counted)
            #expect(retry.message.contains("answered 200 with a web page, probably a login page or a wrong URL"))
        }
        // No other endpoint is judged by that.
        try await webhook.deliver(2, to: "plain", event: Self.event)
        try await webhook.acks([2])
    }

    /// What is no answer in HTTP/1.1, and what the operator is told.
    @Test(arguments: [
        ("220 mail.example.org ESMTP\r\n", "did not answer in HTTP/1.1; it may speak TLS (then the URL begins with"),
        ("\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}\u{16}", "did not answer in HTTP/1.1; it may speak TLS"),
        ("HTTP/7.5 200 OK\r\n\r\n", "did not answer in HTTP/1.1"),
        ("", "closed the connection without an answer (Server returned nothing (no headers, no data)); where this"),
    ])
    func whatIsNoAnswerSaysWhatIsProbablyWrong(_ answer: String, _ text: String) async throws {
        let receiver = try await SurplusReceiver()
        let webhook = try await WebhookProcess([endpoint("a", receiver.url(answering: answer))])
        try await webhook.start()
        try await webhook.deliver(1, to: "a")
        let retry = try await webhook.retry(1)
        #expect(retry.code == "transfer" && retry.message.hasPrefix("127.0.0.1:\(receiver.port) "), "\(retry.message)")
        #expect(retry.message.contains(text), "\(retry.message)")
    }

    @Test func anHTTPAddressOfATLSPortIsNamed() async throws {
        let receiver = try await SurplusReceiver(tls: true)
        let webhook = try await WebhookProcess([endpoint("a", "http://localhost:\(receiver.port)/in")])
        try await webhook.start()
        try await webhook.deliver(1, to: "a")
        let retry = try await webhook.retry(1)
        #expect(retry.code == "transfer" && retry.message.contains("localhost:\(receiver.port) "), "\(retry.message)")
        #expect(retry.message.contains("https://"), "\(retry.message)")
        try await receiver.stop()
    }
}
