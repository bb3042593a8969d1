import CrowbarCore
import Testing

@testable import PluginHost

@Suite struct CheckChainTests {
    private static func submission(_ text: String = "hello", origin: String? = nil) -> Submission {
        Submission(
            command: Command(
                .sendMessage, .sendMessage(text, messageId: nil, kind: nil, replyTo: nil), channelId: "general",
                meta: Array(#"{"a": 1}"#.utf8)),
            eventId: "e1", idSource: .fresh, actor: "ann", origin: origin.map { .init(plugin: $0) }, commandHash: [])
    }

    private static let members = [
        CheckChain.Member(plugin: "a", onFailure: .allow), .init(plugin: "b", onFailure: .refuse),
    ]

    private static func allow(_ json: String) -> CheckChain.Answer { .allow(Array(json.utf8)) }

    private func plugin(_ step: CheckChain.Step) -> String? {
        if case .ask(let plugin, _, _) = step { plugin } else { nil }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// The answers of `a`, whose rule is `allow`, and of `b`, whose rule is `refuse`.
        var answers: [CheckChain.Answer]
        var outcomes: [CheckChain.Outcome]
        /// The message stored, or nil where it is refused.
        var message: String?
        /// A part of the record or of the refusal.
        var says: String
    }

    @Test(arguments: [
        Case(
            testDescription: "both allow", answers: [.allow(nil), .allow(nil)], outcomes: [.allowed, .allowed],
            message: "hello", says: #"[{"plugin":"a","verdict":"allowed"},{"plugin":"b","verdict":"allowed"}]"#),
        Case(
            testDescription: "both change, the second what the first made of it",
            answers: [allow(#"{"message":"HELLO"}"#), allow(#"{"type":"SEND_MESSAGE","message":"HELLO!"}"#)],
            outcomes: [.changed, .changed], message: "HELLO!",
            says: #"{"plugin":"b","verdict":"changed","fields":["message"]}"#),
        Case(
            testDescription: "the same command is no change",
            answers: [allow(#"{"type":"SEND_MESSAGE","eventId":"e1","message":"hello","meta":{}}"#), .allow(nil)],
            outcomes: [.allowed, .allowed], message: "hello", says: #"{"plugin":"a","verdict":"allowed"}"#),
        Case(
            testDescription: "a refusal ends it", answers: [.deny(code: "rude", message: "mind your words")],
            outcomes: [.refused], message: nil, says: "refused by the plugin 'a': mind your words (rude)"),
        Case(
            testDescription: "time-out where the rule is allow", answers: [.failed(.timeout), .allow(nil)],
            outcomes: [.failed, .allowed], message: "hello",
            says: #"{"plugin":"a","verdict":"skipped","reason":"timeout"}"#),
        Case(
            testDescription: "time-out where the rule is refuse", answers: [.allow(nil), .failed(.timeout)],
            outcomes: [.allowed, .failed], message: nil, says: "cannot now (timeout)"),
        Case(
            testDescription: "a forbidden field", answers: [allow(#"{"channelId":"other"}"#), .allow(nil)],
            outcomes: [.failed, .allowed], message: "hello", says: #""reason":"nonsense""#),
        Case(
            testDescription: "a change that is no valid command", answers: [.allow(nil), allow(#"{"message":"  "}"#)],
            outcomes: [.allowed, .failed], message: nil, says: "cannot now (nonsense)"),
        Case(
            testDescription: "a change of another type's field", answers: [allow(#"{"topic":"x"}"#), .allow(nil)],
            outcomes: [.failed, .allowed], message: "hello", says: #""reason":"nonsense""#),
    ])
    func oneAfterTheOther(_ example: Case) {
        var chain = CheckChain(Self.submission(), members: Self.members, now: 0)
        var outcomes: [CheckChain.Outcome] = []
        for answer in example.answers {
            let step = chain.next(now: 0)
            #expect(plugin(step) == Self.members[outcomes.count].plugin)
            outcomes.append(chain.take(answer))
        }
        #expect(outcomes == example.outcomes)
        switch chain.next(now: 0) {
        case .pass(let command, let record):
            guard case .sendMessage(let text, _, _, _) = command.body else {
                Issue.record("another command")
                return
            }
            #expect(text == example.message)
            #expect(command.meta == Self.submission().command.meta && command.channelId == "general")
            #expect(String(decoding: record, as: UTF8.self).contains(example.says))
        case .refuse(let error):
            #expect(example.message == nil && error.code == .refused)
            #expect(error.message.contains(example.says), "\(error.message)")
        case .ask: Issue.record("it is not over")
        }
    }

    @Test func theTimeIsSharedAndWhatIsLeftAtTheEndIsTheRules() {
        let many = (1...4).map { CheckChain.Member(plugin: "p\($0)", onFailure: .allow) }
        var chain = CheckChain(Self.submission(), members: many, now: 1_000)
        var within: [Int64] = []
        var now: Int64 = 1_000
        while case .ask(_, _, let time) = chain.next(now: now) {
            within.append(time)
            now += time
            _ = chain.take(.failed(.timeout))
        }
        #expect(within == [150, 150, 100])
        #expect(now - 1_000 == CheckChain.Limit.all)
        guard case .pass(_, let record) = chain.next(now: now) else {
            Issue.record("not passed")
            return
        }
        #expect(
            String(decoding: record, as: UTF8.self).hasSuffix(
                #"{"plugin":"p4","verdict":"skipped","reason":"budget"}]"#))
    }

    @Test func theCommandIsShownWithItsIdActorAndOrigin() {
        var chain = CheckChain(Self.submission(origin: "irc"), members: Self.members, now: 0)
        guard case .ask(_, let shown, _) = chain.next(now: 0) else {
            Issue.record("nobody is asked")
            return
        }
        #expect(
            String(decoding: shown, as: UTF8.self)
                == #"{"type":"SEND_MESSAGE","eventId":"e1","userId":"ann","channelId":"general","message":"hello","#
                + #""origin":{"plugin":"irc"},"meta":{"a": 1}}"#)
        #expect(chain.take(Self.allow(#"{"origin":{"plugin":"me"}}"#)) == .failed)
        #expect(chain.complaint?.contains("'origin'") == true)
    }
}

@Suite struct CheckerTests {
    private static func manifest(_ change: (inout Manifest) -> Void = { _ in }) -> Manifest {
        var manifest = Manifest(name: "filter", file: "filter.toml", command: ["x"])
        manifest.phase = .command
        change(&manifest)
        return manifest
    }

    private static func submission(_ command: Command, origin: String? = nil) -> Submission {
        Submission(
            command: command, eventId: "e", idSource: .fresh, actor: "ann", origin: origin.map { .init(plugin: $0) },
            commandHash: [])
    }

    @Test func itIsAskedAboutWhatItsManifestNamesAndNeverAboutItsOwn() {
        let send = Command(
            .sendMessage, .sendMessage("x", messageId: nil, kind: nil, replyTo: nil), channelId: "dev-1")
        let rename = Command(.renameUser, .renameUser(name: "x"))
        let all = Checker(Self.manifest())
        #expect(all.wants(Self.submission(send)) && all.wants(Self.submission(send, origin: "irc")))
        #expect(!all.wants(Self.submission(send, origin: "filter")))
        let some = Checker(
            Self.manifest {
                $0.commandTypes = [.sendMessage]
                $0.channels = ["dev-*"]
            })
        #expect(some.wants(Self.submission(send)) && !some.wants(Self.submission(rename)))
        var other = send
        other.channelId = "general"
        #expect(!some.wants(Self.submission(other)))
        #expect(Checker(Self.manifest { $0.channels = ["dev-*"] }).wants(Self.submission(rename)))
    }

    @Test func priorityThenNameDecidesWhoIsFirst() {
        let names = [("b", 0), ("a", 0), ("z", -1), ("c", 5)]
        let checkers = names.map { name, priority in
            var manifest = Manifest(name: name, file: "", command: ["x"])
            manifest.priority = Int64(priority)
            return Checker(manifest)
        }
        #expect(checkers.sorted { $0.isBefore($1) }.map(\.name) == ["z", "a", "b", "c"])
    }

    @Test func onlySoManyQuestionsAreOpen() {
        var checker = Checker(Self.manifest())
        let absent = checker.admit(now: 0)
        #expect(absent == .no(.absent))
        checker.presence = .present
        let first = (0..<Checker.Limit.inFlight).map { _ in checker.admit(now: 0) }
        #expect(first.allSatisfy { $0 == .ask(isTrial: false) })
        let beyond = checker.admit(now: 0)
        checker.settle()
        let again = checker.admit(now: 0)
        #expect(beyond == .no(.busy) && again == .ask(isTrial: false))
        #expect(checker.tally.asked == 33 && checker.tally.failed == 2)
    }

    @Test func fiveFailuresGiveItARestAndATrialEndsIt() {
        var breaker = Breaker()
        // The first is out of the window by the fifth.
        for time in [0, 8_000, 16_000, 24_000, 30_000] as [Int64] {
            let change = breaker.failed(now: time)
            #expect(change == nil)
        }
        #expect(!breaker.isOpen(now: 30_000) && !breaker.isTripped)
        let opened = breaker.failed(now: 31_000)
        #expect(opened == .opened && breaker.isOpen(now: 31_000) && breaker.isTripped)
        let resting = breaker.admit(now: 60_999)
        // An answer to what was asked before it opened does not close it.
        let late = breaker.succeeded(isTrial: false)
        #expect(late == nil)
        // Its rest is over, and nothing says yet that it is well.
        #expect(!breaker.isOpen(now: 61_000) && breaker.isTripped)
        let trial = breaker.admit(now: 61_000)
        let beside = breaker.admit(now: 61_000)
        #expect(resting == .rest && trial == .ask(isTrial: true) && beside == .rest)
        let failed = breaker.failed(now: 61_100)
        #expect(failed == nil && breaker.isTripped)
        let after = breaker.admit(now: 90_000)
        let second = breaker.admit(now: 91_000)
        #expect(after == .rest && second == .ask(isTrial: true))
        let closed = breaker.succeeded(isTrial: true)
        #expect(closed == .closed && !breaker.isTripped)
        let open = breaker.admit(now: 91_001)
        #expect(open == .ask(isTrial: false))
    }
}
