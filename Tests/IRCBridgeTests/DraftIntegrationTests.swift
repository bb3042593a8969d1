import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Answers, deletions and messages of several lines: with a scripted server that has the drafts of IRCv3 for them, and
/// with a real one that passes on the tag of answers.
@Suite(.timeLimit(.minutes(10))) struct DraftIntegrationTests {
    private func scripted() async throws -> (LineProcess, BridgeHost) {
        let folder = #filePath.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        let server = try LineProcess("/usr/bin/env", arguments: ["python3", folder + "/drafts_server.py"])
        let port = try await server.first("the port") { Int(String(decoding: $0, as: UTF8.self)) }
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(port))
        return (server, host)
    }

    /// The next thing that the server tells.
    private func told(_ server: LineProcess) async throws -> String {
        try await server.first("a message") { String(decoding: $0, as: UTF8.self) }
    }

    /// The next message of the chat, which it takes.
    private func message(_ host: BridgeHost) async throws -> JSONObject {
        let (object, command) = try await host.command("SEND_MESSAGE")
        try await host.store(command)
        return object
    }

    @Test func messagesAreAnsweredAndDeletedBothWays() async throws {
        let (server, host) = try await scripted()
        let first = try await host.deliver("MESSAGE_SENT", ["message": "one\n\ntwo bob", "messageId": "m1"])
        #expect(try await told(server) == #"{"id": "c1", "lines": ["<ann> one", "", "two bob"], "reply": null}"#)
        try await host.settled([first])
        let bobs = try await message(host)
        #expect(bobs.string("message") == "answer\n\n\\*end\\*")
        #expect(bobs.string("replyTo") == "m1")
        let id = try #require(bobs.string("messageId"))
        // An answer to the message that came from IRC, and one from IRC to the same.
        let second = try await host.deliver(
            "MESSAGE_SENT", ["message": "thanks eve", "messageId": "m2", "replyTo": id])
        #expect(try await told(server) == #"{"id": "c2", "lines": ["<ann> thanks eve"], "reply": "b1"}"#)
        try await host.settled([second])
        let (eves, command) = try await host.command("SEND_MESSAGE")
        #expect(eves.string("replyTo") == id)
        // The chat does not know that one any more: said without.
        try await host.refuse(command, "message_not_found")
        let again = try await message(host)
        #expect(again.string("replyTo") == nil)
        #expect(again.string("message") == "me too")
        let third = try await host.deliver("MESSAGE_DELETED", ["messageId": "m1"])
        #expect(try await told(server) == #"{"redacted": "c1"}"#)
        try await host.settled([third])
        let fourth = try await host.deliver("MESSAGE_SENT", ["message": "out: redact", "messageId": "m3"])
        #expect(try await told(server).contains("out: redact"))
        try await host.settled([fourth])
        let (deletion, _) = try await host.command("DELETE_MESSAGE")
        #expect(deletion.string("messageId") == id)
        #expect(deletion.string("userId") == "irc/local/nick/bob")
        server.kill()
        _ = try await server.end()
    }

    @Test func whatTheServerDoesNotTakeWholeIsSaidLineByLine() async throws {
        let (server, host) = try await scripted()
        let long = try await host.deliver(
            "MESSAGE_SENT", ["message": "a\n" + String(repeating: "x", count: 200), "messageId": "m1"])
        #expect(try await told(server) == #"{"id": "c1", "lines": ["<ann> a"], "reply": null}"#)
        #expect(try await told(server).contains("<ann> xxx"))
        try await host.settled([long])
        let refused = try await host.deliver("MESSAGE_SENT", ["message": "b\nrefuse", "messageId": "m2"])
        #expect(try await told(server) == #"{"refused": "BATCH"}"#)
        #expect(try await told(server) == #"{"id": "c3", "lines": ["<ann> b"], "reply": null}"#)
        #expect(try await told(server) == #"{"id": "c4", "lines": ["<ann> refuse"], "reply": null}"#)
        try await host.settled([refused])
        // Both lines of it are deleted.
        let deleted = try await host.deliver("MESSAGE_DELETED", ["messageId": "m2"])
        #expect(try await told(server) == #"{"redacted": "c3"}"#)
        #expect(try await told(server) == #"{"redacted": "c4"}"#)
        try await host.settled([deleted])
        server.kill()
        _ = try await server.end()
    }

    /// A connection that ends with a message of several lines unconfirmed: it is said once more, and all of it.
    @Test func aLostMessageOfSeveralLinesIsSaidOnceMore() async throws {
        let (server, host) = try await scripted()
        let lost = try await host.deliver("MESSAGE_SENT", ["message": "one\ncut", "messageId": "m1"])
        #expect(try await told(server) == #"{"id": "c1", "lines": ["<ann> one", "cut"], "reply": null}"#)
        try await host.settled([lost])
        var lines: [String] = []
        let next = try await host.deliver("MESSAGE_SENT", ["message": "next", "messageId": "m2"])
        while lines.last?.contains("next") != true { lines.append(try await told(server)) }
        try await host.settled([next])
        #expect(lines.dropLast().filter { $0.contains("one") }.count == 1)
        #expect(lines.dropLast().filter { $0.contains("cut") }.count == 1)
        server.kill()
        _ = try await server.end()
    }

    /// InspIRCd passes on client-only tags (`m_ircv3_ctctags`) and has none of the other drafts.
    @Test func aRealServerPassesAnswersOn() async throws {
        let server = try await InspServer()
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        bob.send("CAP REQ :message-tags echo-message")
        _ = try await bob.first("the capabilities") { $0.verb == "CAP" }
        let said = try await host.deliver("MESSAGE_SENT", ["message": "a question", "messageId": "m1"])
        let question = try await bob.first("the question") { $0.verb == "PRIVMSG" }
        try await host.settled([said])
        bob.send("@+draft/reply=\(question.tags["msgid"] ?? "") PRIVMSG #general :an answer")
        let echo = try await bob.first("the own answer") { $0.verb == "PRIVMSG" }
        let answer = try await message(host)
        #expect(answer.string("message") == "an answer")
        #expect(answer.string("replyTo") == "m1")
        let id = try #require(answer.string("messageId"))
        _ = try await host.deliver("MESSAGE_SENT", ["message": "thanks", "messageId": "m2", "replyTo": id])
        let thanks = try await bob.first("the thanks") { $0.verb == "PRIVMSG" }
        #expect(thanks.params.last == "<ann> thanks")
        #expect(thanks.tags["+draft/reply"] == echo.tags["msgid"])
        #expect(thanks.tags["+draft/reply"] != nil)
        try await server.kill()
    }

    /// A server that drops such tags says so: then the message is quoted.
    @Test func whereARealServerDropsTheTagTheMessageIsQuoted() async throws {
        let server = try await InspServer(#"<ctctags allowclientonlytags="no">"#)
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let said = try await host.deliver("MESSAGE_SENT", ["message": "a question", "messageId": "m1"])
        try await host.settled([said])
        _ = try await host.deliver("MESSAGE_SENT", ["message": "yes", "messageId": "m2", "replyTo": "m1"])
        #expect(try await bob.nextText() == "<ann> a question")
        #expect(try await bob.nextText() == "<ann> (re ann: “a question”) yes")
        try await server.kill()
    }
}
