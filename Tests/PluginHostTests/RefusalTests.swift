import CrowbarCore
import CrowbarTesting
import Foundation
import JSONBytes
import PluginWire
import Testing

@testable import PluginHost

/// Messages that are not taken: the plugin is told which, and why; so is the operator.
@Suite struct RefusalTests {
    /// What a plugin says, and what of it is told back.
    struct Case: Sendable, CustomTestStringConvertible {
        var line: String
        var message: String
        var reason: String
        var delivery: Int64?
        var id: MessageID?
        var isStrike = true
        var testDescription: String { "\(message): \(reason)" }
    }

    private static let large = String(repeating: "x", count: Wire.maxState)

    static let refused: [Case] = [
        Case(
            line: #"{"type":"ack","delivery":1,"state":"\#(large)"}"#, message: "ack",
            reason: "a state of 65538 bytes; at most 65536 are kept; nothing is settled", delivery: 1),
        Case(
            line: #"{"type":"ack","upTo":2,"state":"\#(large)"}"#, message: "ack",
            reason: "a state of 65538 bytes; at most 65536 are kept; nothing is settled", delivery: 2),
        Case(
            line: #"{"type":"state","queue":"a","state":"\#(large)"}"#, message: "state",
            reason: "a state of 65538 bytes; at most 65536 are kept"),
        Case(
            line: #"{"type":"reject","delivery":1,"code":"bad"}"#, message: "reject",
            reason: "'deadLetter' is missing; it must be true or false", delivery: 1),
        Case(
            line: #"{"type":"reject","delivery":1,"code":"bad","deadLetter":1}"#, message: "reject",
            reason: "'deadLetter' must be true or false", delivery: 1),
        Case(
            line: #"{"type":"ack","deliveries":[1,2],"state":1}"#, message: "ack",
            reason: "a 'state' with deliveries of several queues; nothing is settled", delivery: 1),
        Case(
            line: #"{"type":"retry","delivery":1}"#, message: "retry",
            reason: "'code' is missing; it must be a string", delivery: 1),
        Case(
            line: #"{"type":"command","id":"x","command":"text"}"#, message: "command",
            reason: "'command' must be object", id: MessageID("x")),
        Case(
            line: #"{"type":"ack"}"#, message: "ack",
            reason: "'delivery' is missing; it must be there, or 'deliveries' or 'upTo'"),
        Case(
            line: #"{"type":"status","level":"fine"}"#, message: "status",
            reason: "'level' must be 'ok', 'degraded' or 'down'"),
        Case(line: #"{"type":"ready","protocol":1}"#, message: "ready", reason: "it was not expected"),
        Case(line: #"{"type":"drained"}"#, message: "drained", reason: "it was not expected: there was no 'drain'"),
        Case(
            line: #"{"type":"verdict","id":1,"allow":true}"#, message: "verdict", reason: "it was asked nothing"),
        Case(line: #"{"type":"pong"}"#, message: "pong", reason: "'n' is missing; it must be a whole number, not"),
        Case(line: "{'type':'ack'}", message: "line", reason: "no JSON: "),
        Case(
            line: #"{"type":"log","message":"\#(String(repeating: "y", count: Wire.maxLine))"}"#, message: "line",
            reason: "it has 1048603 bytes; at most 1048576 are taken"),
        // Harmless to all but to whoever waits for it.
        Case(
            line: #"{"type":"ack","delivery":99}"#, message: "ack", reason: "there was no delivery 99", delivery: 99,
            isStrike: false),
        Case(
            line: #"{"type":"ack","deliveries":[0]}"#, message: "ack", reason: "there was no delivery 0", delivery: 0,
            isStrike: false),
        Case(
            line: #"{"type":"ack","upTo":99}"#, message: "ack", reason: "there was no delivery 99", delivery: 99,
            isStrike: false),
        Case(
            line: #"{"type":"ack","delivery":99,"state":1}"#, message: "ack", reason: "there was no delivery 99",
            delivery: 99, isStrike: false),
        Case(
            line: #"{"type":"retry","delivery":99,"code":"x"}"#, message: "retry", reason: "there was no delivery 99",
            delivery: 99, isStrike: false),
        Case(
            line: #"{"type":"reject","delivery":99,"code":"x","deadLetter":true}"#, message: "reject",
            reason: "there was no delivery 99", delivery: 99, isStrike: false),
        Case(
            line: #"{"type":"working","delivery":99,"ms":1}"#, message: "working", reason: "there was no delivery 99",
            delivery: 99, isStrike: false),
        Case(
            line: #"{"type":"state","queue":"c","state":1}"#, message: "state", reason: "there is no queue 'c'",
            isStrike: false),
        Case(
            line: #"{"type":"window","queue":"c","events":1}"#, message: "window", reason: "there is no queue 'c'",
            isStrike: false),
        Case(
            line: #"{"type":"configured","id":3,"ok":true}"#, message: "configured",
            reason: "nothing was asked under this id", id: MessageID(3), isStrike: false),
        Case(
            line: #"{"type":"answer","id":"q","ok":true,"answer":1}"#, message: "answer",
            reason: "nothing was asked under this id", id: MessageID("q"), isStrike: false),
        Case(
            line: #"{"type":"status","level":"ok","details":{\#(members(101))}}"#, message: "status",
            reason: "'details' has 101 members and is left out; at most 100 are shown", isStrike: false),
    ]

    private static func members(_ count: Int) -> String {
        (0..<count).map { "\"m\($0)\":1" }.joined(separator: ",")
    }

    @Test(arguments: refused) func whatIsNotTakenIsTold(_ refused: Case) async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.begin([.init(name: "a"), .init(name: "b")])
        let errors = try await world.errors(refused.line)
        let told = try #require(errors.first)
        #expect(errors.count == 1)
        #expect(told.message == refused.message && told.delivery == refused.delivery && told.id == refused.id)
        #expect(told.reason.hasPrefix(refused.reason), "\(told.reason)")
        // Nothing was done of it, and the operator sees why.
        #expect(world.held(0) == [3] && world.held(1) == [3])
        let view = world.session.view
        #expect(view.strikes == (refused.isStrike ? 1 : 0) && view.ignored == (refused.isStrike ? 0 : 1))
        #expect(view.refusal == "rejected '\(refused.message)' message: \(told.reason)")
        #expect(world.lines.all.contains { $0.contains("protocol: \(refused.message): \(refused.reason)") })
        await world.turn()
        var lifecycle = PluginLifecycle(name: "p")
        lifecycle.take(world.session.manifest)
        _ = lifecycle.steps(now: 0)
        #expect(lifecycle.state(world.session.view).reason == view.refusal)
    }

    /// What a plugin cannot know to be late, or does not mean to be known.
    @Test(arguments: [
        #"{"type":"ack","delivery":1}"#, #"{"type":"ack","upTo":1}"#, #"{"type":"retry","delivery":1,"code":"x"}"#,
        #"{"type":"ack","delivery":1,"state":{"n":1}}"#, #"{"type":"something","x":1}"#,
        #"{"type":"pong","n":1,"m":2}"#,
        #"{"type":"reject","delivery":1,"code":"x","deadLetter":true}"#, #"{"type":"working","delivery":1,"ms":5}"#,
    ])
    func whatIsLateOrNewIsNoFault(_ line: String) async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.begin()
        await world.say(#"{"type":"ack","delivery":1}"#)
        #expect(try await world.errors(line).isEmpty)
        #expect(world.session.view.refusal == nil && world.session.view.strikes == 0)
    }

    @Test(arguments: [
        (#"{"type":"something","x":1}"#, "line", "there is no message 'something'"),
        (#"{"type":"pong","n":1,"nn":2}"#, "pong", "there is no field 'nn'; did you mean 'n'?"),
        (
            #"{"type":"ack","delivery":1,"status":1}"#, "ack", "there is no field 'status'; did you mean 'state'?"
        ),
    ])
    func aStrictManifestRefusesWhatIsNotKnown(_ line: String, _ message: String, _ reason: String) async throws {
        let world = try SessionWorld { $0.isStrict = true }
        try await world.send("1")
        try await world.begin()
        let told = try await world.errors(line)
        let expected = message == "line" ? "something" : message
        #expect(told.map(\.message) == [expected] && told.map(\.reason) == [reason])
        #expect(world.held() == [3] && world.session.view.strikes == 1)
    }

    @Test func errorsAreBounded() async throws {
        let world = try SessionWorld()
        try await world.begin()
        let line = #"{"type":"ack","delivery":99}"#
        let burst = Int(PluginSession.ErrorLimit.burst)
        #expect(try await world.errors(Array(repeating: line, count: 500)).count == burst)
        world.clock.advance(by: 1_000)
        #expect(try await world.errors(Array(repeating: line, count: 500)).count == Int(PluginSession.ErrorLimit.rate))
        #expect(world.session.view.ignored == 1_000)
        world.clock.advance(by: 1_000)
        let name = String(repeating: "\u{1}n", count: 100_000)
        let long = #"{"type":"window","queue":"\#(name.replacing("\u{1}", with: "\\u0001"))","events":1}"#
        let told = try await world.errors(long)
        #expect(told.count == 1 && told.allSatisfy { $0.reason.utf8.count <= PluginSession.ErrorLimit.reason })
    }

    @Test(arguments: [
        (#"{"type":"ready"}"#, "'protocol' is missing; it must be a whole number"),
        (#"{"type":"ready","protocol":"1"}"#, "'protocol' must be a whole number"),
        (#"{"type":"ready","protocol":1,"queues":"main"}"#, "'queues' must be an array of objects"),
        (#"{"type":"ready","protocol":1,"queues":[{}]}"#, "'name' is missing; it must be a string"),
        (#"{"type":"ready","protocol":1,"pipelined":"yes"}"#, "'pipelined' must be true or false"),
        (#"{"type":"ready","protocol":1,"queues":[{"name":"a","types":"X"}]}"#, "'types' must be an array of strings"),
        (#"{"type":"ready","protocol":1"#, "no JSON"), (#"{ "type" : "ready", "protocol": 1,}"#, "no JSON"),
        ("{'type': 'ready', 'protocol': 1}", "no JSON"), (#"{"type":"ready","protocol":1,"protocol":1}"#, "no JSON"),
    ])
    func aReadyThatIsNotInOrderFailsAtOnce(_ line: String, _ reason: String) async throws {
        let world = try SessionWorld()
        await world.say(line)
        guard case .failed(let why) = world.session.end else {
            Issue.record("\(String(describing: world.session.end))")
            return
        }
        #expect(why.hasPrefix("malformed 'ready': ") && why.contains(reason), "\(why)")
    }

    @Test func aStrictManifestRefusesAReadyWithFieldsOfNoMeaning() async throws {
        let line = #"{"type":"ready","protocol":1,"name":"p","asynchronous":true}"#
        let world = try SessionWorld { $0.isStrict = true }
        await world.say(line)
        #expect(world.session.end == .failed("malformed 'ready': there is no field 'asynchronous'"))
        let other = try SessionWorld()
        await other.say(line)
        #expect(other.session.end == nil)
    }

    @Test(arguments: [#"{"x":"ready"}"#, "{no json", #"{"type":"redy","protocol":1}"#, #"{"type":"ack"}"#])
    func whatIsNoReadyIsWaitedOn(_ line: String) async throws {
        let world = try SessionWorld()
        await world.say(line)
        #expect(world.session.end == nil)
        await world.wait(10_001)
        // What came in its place is part of the reason, where it was refused.
        guard case .crashed(let why) = world.session.end else {
            Issue.record("no end")
            return
        }
        #expect(why.hasPrefix("no 'ready' within 10 s"))
        #expect(why.contains("; last rejected ") == (world.session.view.strikes > 0), "\(why)")
    }

    @Test func anAckThatWasRefusedIsNamedOnceItsDeliveryIsOverdue() async throws {
        let world = try SessionWorld()
        try await world.send("1")
        try await world.begin()
        await world.say(#"{"type":"ack","delivery":1,"state":"\#(Self.large)"}"#)
        await world.wait(3_000)
        guard case .crashed(let why) = world.session.end else {
            Issue.record("no end")
            return
        }
        #expect(why.contains("made no progress for 3 s"))
        #expect(why.contains("; last rejected 'ack' message: a state of 65538 bytes"), "\(why)")
    }

    @Test(arguments: [
        #"{"type":"ready","protocol":1,"queues":[{"name":"hunter2-hunter2/x"}]}"#,
        #"{"type":"ready","protocol":1,"queues":[{"name":"a","types":["hunter2-hunter2"]}]}"#,
        #"{"type":"ready","protocol":1,"queues":[{"name":"a","channels":["hunter2-hunter2"]}]}"#,
        #"{"type":"ready","protocol":1,"queues":[{"name":"a","start":"hunter2-hunter2"}]}"#,
        #"{"type":"ready","protocol":1,"hunter2-hunter2":1}"#,
    ])
    func aReasonThatQuotesAReadyIsMasked(_ line: String) async throws {
        let world = try SessionWorld {
            $0.channels = ["general"]
            $0.isStrict = true
        }
        world.session.log.learn(["hunter2-hunter2"])
        await world.say(line)
        let why = try #require(world.session.end?.reason)
        #expect(why.contains("***") && !why.contains("hunter2"), "\(why)")
    }
}

extension SessionWorld {
    /// What the plugin is told of lines that it says in one breath.
    func errors(_ lines: String...) async throws -> [HostMessage.Refused] { try await errors(lines) }

    func errors(_ lines: [String]) async throws -> [HostMessage.Refused] {
        await session.handle(.output(Array(lines.map { $0 + "\n" }.joined().utf8)), now: now)
        let told = session.answers
        await turn()
        return try told.split(separator: 0x0A).compactMap { line in
            if case .error(let refused) = try HostMessage(line: Array(line)) { refused } else { nil }
        }
    }
}
