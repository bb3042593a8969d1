import CrowbarCore
import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Synchronization
import Testing

@testable import CrowbarHTTP

/// Short commands that are answered on the event loop.
@Suite(.serialized) struct CommandShortcutTests {
    private typealias Outcome = Result<Receipt, CommandError>

    /// A connection whose commands are stored when the test says so.
    private final class World {
        private struct State {
            var waiting: [@Sendable (Outcome) -> Void] = []
            var bodies: [String] = []
        }

        let channel = EmbeddedChannel()
        private final class Shared: Sendable { let state = Mutex(State()) }
        private let shared = Shared()
        /// Whether commands are taken, or passed on.
        private let takes: Bool

        private final class Reads: ChannelOutboundHandler {
            typealias OutboundIn = HTTPResponsePart
            var count = 0

            func read(context: ChannelHandlerContext) {
                count += 1
                context.read()
            }
        }

        private let (recorder, reads) = (EventRecorder(), Reads())

        private final class EventRecorder: ChannelInboundHandler {
            typealias InboundIn = HTTPRequestPart
            typealias InboundOut = HTTPRequestPart
            var events: [String] = []

            func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) { events.append("\(event)") }
        }

        init(takes: Bool = true) throws {
            self.takes = takes
            let shortcut = CommandShortcut(
                submit: { [shared, takes] _, body, done in
                    shared.state.withLock {
                        $0.bodies.append(String(decoding: body, as: UTF8.self))
                        if takes { $0.waiting.append(done) }
                    }
                    return takes
                },
                answer: { outcome, _ in
                    let text = (try? outcome.get().eventId) ?? "refused"
                    return (HTTPResponse(status: .ok), ByteBuffer(string: text))
                })
            try channel.pipeline.syncOperations.addHandlers([reads, shortcut, recorder])
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        }

        var bodies: [String] { shared.state.withLock { $0.bodies } }
        var seenEvents: [String] { recorder.events }
        var readCount: Int { reads.count }

        func receive(_ parts: HTTPRequestPart...) throws { for part in parts { try channel.writeInbound(part) } }

        /// Lets the oldest command be stored.
        func store(_ id: String) {
            let done = shared.state.withLock { $0.waiting.removeFirst() }
            done(.success(Receipt(eventId: id, position: 1, timestamp: 1)))
            channel.embeddedEventLoop.run()
        }

        /// What passed on, in short.
        func passed() throws -> [String] {
            var found: [String] = []
            while let part = try channel.readInbound(as: HTTPRequestPart.self) {
                switch part {
                case .head(let head): found.append(head.path ?? "")
                case .body(let body): found.append(String(buffer: body))
                case .end: found.append("end")
                }
            }
            return found
        }

        /// What was answered, in short.
        func answered() throws -> [String] {
            var found: [String] = []
            while let part = try channel.readOutbound(as: HTTPResponsePart.self) {
                switch part {
                case .head(let head): found.append("\(head.status.code)")
                case .body(let body): found.append(String(buffer: body))
                case .end: found.append("end")
                }
            }
            return found
        }
    }

    private static func head(_ path: String = "/api/commands", _ fields: HTTPFields = [.contentLength: "3"])
        -> HTTPRequestPart
    {
        .head(HTTPRequest(method: .post, scheme: "http", authority: "h", path: path, headerFields: fields))
    }

    private static func body(_ text: String) -> HTTPRequestPart { .body(ByteBuffer(string: text)) }

    @Test func aCommandIsAnsweredHereHoweverItsBytesCome() throws {
        let world = try World()
        try world.receive(Self.head(), Self.body("a"), Self.body("bc"))
        #expect(world.bodies.isEmpty)
        try world.receive(.end(nil))
        #expect(try world.bodies == ["abc"] && world.passed() == [] && world.answered() == [])
        world.store("e1")
        #expect(try world.answered() == ["200", "e1", "end"])
        // The next one on the same connection.
        try world.receive(Self.head(), Self.body("xyz"), .end(nil))
        world.store("e2")
        #expect(try world.answered() == ["200", "e2", "end"] && world.passed() == [])
    }

    @Test(
        arguments: [
            ("/api/commands?x=1", [.contentLength: "3"]), ("/api/events", [.contentLength: "3"]),
            ("/api/commands", [:]), ("/api/commands", [.contentLength: "0"]),
            ("/api/commands", [.contentLength: "4097"]),
            ("/api/commands", [.contentLength: "3", .contentType: "application/x-ndjson"]),
            ("/api/commands", [.contentLength: "3", .contentType: "Application/X-NDJSON; a=b"]),
            ("/api/commands", [.contentLength: "3", .expect: "100-continue"]),
            ("/api/commands", [.contentLength: "3", .connection: "close"]),
            ("/api/commands", [.contentLength: "3", .origin: "https://chat.example.org"]),
        ] as [(String, HTTPFields)])
    func whatIsNoShortCommandPassesOn(_ path: String, _ fields: HTTPFields) throws {
        let world = try World()
        try world.receive(Self.head(path, fields), Self.body("abc"), .end(nil))
        #expect(try world.passed() == [path, "abc", "end"] && world.bodies.isEmpty)
    }

    @Test func whatTheLogDoesNotTakeAtOncePassesOnAsItCame() throws {
        let world = try World(takes: false)
        try world.receive(Self.head(), Self.body("a"), Self.body("bc"), .end(nil))
        #expect(try world.passed() == ["/api/commands", "abc", "end"] && world.bodies == ["abc"])
        // A trailer is nothing that a short command has.
        let taking = try World()
        try taking.receive(Self.head(), Self.body("abc"), .end([.date: "x"]))
        #expect(try taking.passed() == ["/api/commands", "abc", "end"] && taking.bodies.isEmpty)
    }

    @Test func answersKeepTheOrderOfTheRequests() throws {
        let world = try World()
        // A request that passed on is not answered yet: a command behind it passes on too.
        try world.receive(Self.head("/other"), .end(nil), Self.head(), Self.body("abc"), .end(nil))
        #expect(try world.passed() == ["/other", "end", "/api/commands", "abc", "end"] && world.bodies.isEmpty)
        for _ in 0..<2 {
            world.channel.write(HTTPResponsePart.head(HTTPResponse(status: .noContent)), promise: nil)
            world.channel.writeAndFlush(HTTPResponsePart.end(nil), promise: nil)
        }
        #expect(try world.answered() == ["204", "end", "204", "end"])
        // What comes while a command is stored waits, and the second command for the request before it.
        try world.receive(
            Self.head(), Self.body("one"), .end(nil), Self.head(), Self.body("two"), .end(nil), Self.head("/other"),
            .end(nil), Self.head(), Self.body("six"), .end(nil))
        #expect(try world.bodies == ["one"] && world.passed() == [])
        world.store("e1")
        #expect(
            try world.answered() == ["200", "e1", "end"] && world.bodies == ["one", "two"] && world.passed() == [])
        world.store("e2")
        #expect(try world.answered() == ["200", "e2", "end"])
        #expect(try world.passed() == ["/other", "end", "/api/commands", "six", "end"] && world.bodies.count == 2)
    }

    @Test func theEndOfTheConnectionWaitsForTheAnswer() throws {
        let world = try World()
        try world.receive(Self.head(), Self.body("abc"), .end(nil))
        let reads = world.readCount
        // Nothing is held yet: the connection stays ready to read.
        world.channel.read()
        #expect(world.readCount == reads + 1)
        world.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        world.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        world.channel.read()
        #expect(world.seenEvents.isEmpty && world.readCount == reads + 1)
        world.store("e1")
        #expect(try world.answered() == ["200", "e1", "end"])
        #expect(world.seenEvents.count == 2 && world.readCount == reads + 2)
        // A request that is not complete passes on first, so that the library knows of it.
        try world.receive(Self.head(), Self.body("a"))
        world.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(try world.passed() == ["/api/commands", "a"] && world.seenEvents.count == 3)
    }

    @Test func aRequestThatCannotBeReadIsRefusedBehindTheAnswerBeforeIt() throws {
        struct Unreadable: Error {}
        let world = try World()
        try world.receive(Self.head(), Self.body("abc"), .end(nil))
        world.channel.pipeline.fireErrorCaught(Unreadable())
        try world.channel.throwIfErrorCaught()
        world.store("e1")
        #expect(try world.answered() == ["200", "e1", "end"])
        #expect(throws: Unreadable.self) { try world.channel.throwIfErrorCaught() }
    }

    @Test func aShutdownBeginsNothingThatWaitsBehindACommand() throws {
        let world = try World()
        try world.receive(
            Self.head(), Self.body("one"), .end(nil), Self.head(), Self.body("two"), .end(nil))
        world.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        try world.receive(Self.head("/other"), .end(nil))
        world.store("e1")
        #expect(try world.answered() == ["200", "e1", "end"] && world.passed() == [])
        #expect(world.bodies == ["one"] && world.seenEvents.count == 1)
    }

    @Test func anAnswerThatNobodyWaitsForIsDropped() throws {
        let world = try World()
        try world.receive(Self.head(), Self.body("abc"), .end(nil))
        _ = try world.channel.finish(acceptAlreadyClosed: true)
        world.store("e1")
        #expect(try world.answered() == [])
    }

    /// The route and the shortcut give the same bytes. The route gets the command with a body that is too long for the
    /// shortcut.
    @Test func theAnswersAreThoseOfTheRoute() async throws {
        let now: @Sendable () -> Int64 = { 1_796_083_200_000 }
        try await TestServer.run(now: now) { server in
            try await server.seed()
            let commands = [
                #"{"type":"SEND_MESSAGE","channelId":"general","message":"x","eventId":"same"}"#,
                #"{"type":"SEND_MESSAGE","channelId":"general","message":"y","eventId":"same"}"#,
                #"{"type":"JOIN_CHANNEL","channelId":"general"}"#, #"{"type":"JOIN_CHANNEL","channelId":"never"}"#,
                #"{"type":"SEND_MESSAGE","channelId":"general","message":""}"#, "[]",
                #"{"type":"RENAME_USER","name":"x","userId":"alice"}"#,
            ]
            // Once before, so that the token is known, and the first command is a duplicate both times.
            for command in commands.prefix(1) {
                #expect(try await server.client.post(command, token: "bob").status == 200)
            }
            let padding = String(repeating: " ", count: CommandShortcut.maxBody)
            for command in commands {
                var answers: [String] = []
                for body in [command, command + padding] {
                    let text = try await RawClient(port: server.client.port).connect { reader, writer in
                        let head = """
                            POST /api/commands HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer bob\r
                            Content-Length: \(body.utf8.count)\r\n\r\n
                            """
                        try await writer.write(ByteBuffer(string: head + body))
                        _ = try await reader.read(until: "}\n")
                        return reader.text
                    }
                    answers.append(text)
                }
                // Each request has an id of its own.
                func isID(_ line: Substring) -> Bool { line.hasPrefix("Crowbar-Request-Id: ") }
                let sorted = answers.map { $0.split(separator: "\r\n").sorted() }
                #expect(sorted[0].filter { !isID($0) } == sorted[1].filter { !isID($0) }, "\(answers)")
                #expect(sorted.allSatisfy { $0.count(where: isID) == 1 }, "\(answers)")
            }
        }
    }

    @Test func manyCommandsOnOneConnectionAreAnsweredInOrder() async throws {
        try await TestServer.run { server in
            try await server.seed()
            #expect(
                try await server.client.post(
                    #"{"type":"SEND_MESSAGE","channelId":"general","message":"first"}"#, token: "bob"
                ).status == 200)
            let count = 198
            let text = (0..<count).map { number in
                let body = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x","eventId":"e\#(number)"}"#
                let isOther = number % 7 == 3
                let other = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
                return "POST /api/commands HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer bob\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)" + (isOther ? other : "")
            }.joined()
            let answers = try await RawClient(port: server.client.port).connect { reader, writer in
                try await writer.write(ByteBuffer(string: text))
                _ = try await reader.read(until: "\"e\(count - 1)\"")
                return reader.text
            }
            let found = answers.replacing("\r\n", with: "\n").split(separator: "\n").compactMap { line -> String? in
                if line.contains("alive") { return "alive" }
                return line.hasPrefix(#"{"eventId":""#) ? line.dropFirst(12).prefix { $0 != "\"" }.description : nil
            }
            let wanted = (0..<count).flatMap { ["e\($0)"] + ($0 % 7 == 3 ? ["alive"] : []) }
            #expect(found == wanted)
        }
    }
}
