import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

@testable import AWS

/// The real executable against moto's server, each signature judged by botocore's signer.
@Suite struct WorldTests {
    private static let function = "lambda:eu-central-1:123456789012:function:audit"
    private static let queue = "sqs:eu-central-1:123456789012:plain"
    private static let fifo = "sqs:eu-central-1:123456789012:ordered.fifo"

    @Test(arguments: [("event", 202), ("request-response", 200)] as [(String, Int64)])
    func aFunctionGetsTheEvent(_ invoke: String, _ status: Int64) async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess([world.target("f", Self.function, .init("invoke", .string(invoke)))])
        try await aws.start()
        try await aws.deliver(1, to: "f")
        try await aws.acks([1])
        let request = try await world.request("lambda")
        #expect(request.isSigned && request.status == status)
        #expect(
            request.target
                == "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Aaudit/"
                + "invocations")
        #expect(request.body == AWSProcess.event(1))
    }

    @Test func whatAFunctionAnswersIsEmitted() async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess([
            world.target("f", Self.function, .init("invoke", .string("request-response")))
        ])
        try await aws.start()
        // This world's function answers with what it got.
        let command = #"{"type":"SEND_MESSAGE","channelId":"general","text":"h\u2028i"}"#
        try await aws.deliver(1, to: "f", event: #"{"eventId":"e1","commands":[\#(command),{}]}"#)
        var emitted: [PluginMessage.Command] = []
        while emitted.count < 2 {
            emitted.append(
                try await aws.plugin.first("a command", within: .seconds(20)) { message in
                    if case .command(let command) = message { command } else { nil }
                })
        }
        #expect(emitted.map(\.cause) == [1, 1])
        #expect(emitted.first.map { String(decoding: $0.command, as: UTF8.self) } == command)
        try await aws.acks([1])
    }

    @Test func theHostIsToldOfARequestThatMayTakeLong() async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess([
            world.target(
                "f", Self.function, .init("invoke", .string("request-response")), .init("timeout", .string("900s")))
        ])
        try await aws.start()
        try await aws.deliver(1, to: "f")
        let ms = try await aws.plugin.first("working", within: .seconds(20)) { message in
            if case .working(1, let ms) = message { ms } else { nil }
        }
        #expect(ms == 950_000)
        try await aws.acks([1])
    }

    @Test func aFunctionThatFailsIsTriedAgain() async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess([world.target("f", Self.function)])
        try await aws.start()
        try await world.fail("lambda", 500)
        try await aws.deliver(1, to: "f")
        let retry = try await aws.retry(1)
        #expect(retry.counted && retry.code == "http_500" && (4000...6000).contains(retry.afterMs ?? 0))
        try await aws.deliver(2, to: "f", attempt: 2, event: AWSProcess.event(1))
        try await aws.acks([2])
    }

    @Test func aMissingFunctionAndADeniedCallAreDeadLettersThatSaySo() async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess([
            world.target("f", Self.function + "s"), world.target("q", "sqs:eu-central-1:123456789012:none"),
            world.target("t", "sns:eu-central-1:123456789012:none"), world.target("d", Self.queue),
        ])
        try await aws.start()
        // moto's function that needs no Docker is there under any name; this is what Lambda answers.
        let missing =
            #"{"Type":"User","Message":"Function not found: arn:aws:lambda:eu-central-1:123456789012:function:x"}"#
        try await world.fail("lambda", 404, type: "ResourceNotFoundException", missing)
        for (delivery, name) in [(1, "f"), (2, "q"), (3, "t")] as [(Int64, String)] {
            try await aws.deliver(delivery, to: name)
            let reject = try await aws.reject(delivery)
            #expect(reject.code == "not_found" && reject.message.contains("does not exist"), "\(name): \(reject)")
        }
        try await world.fail("sqs", 403, #"{"__type":"com.amazonaws.sqs#AccessDenied","message":"not for you"}"#)
        try await aws.deliver(4, to: "d")
        let denied = try await aws.reject(4)
        #expect(denied.code == "denied" && denied.message.contains("not for you"))
        #expect(try await aws.status(.degraded).contains("f (not_found)"))
    }

    @Test func aQueueGetsBatchesAndEachEventOnce() async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess([world.target("q", Self.queue), world.target("o", Self.fifo)])
        try await aws.start()
        for n in Int64(1)...60 { try await aws.deliver(n, to: n <= 30 ? "q" : "o") }
        // An event that comes again is dropped by its id.
        try await aws.deliver(61, to: "o", event: AWSProcess.event(31))
        try await aws.acks(Set(1...61))
        let plain = try await world.receive("plain")
        #expect(Set(plain.map(\.body)) == Set((1...30).map { AWSProcess.event($0) }))
        #expect(plain.count == 30 && plain.allSatisfy { $0.group == nil })
        let ordered = try await world.receive("ordered.fifo")
        #expect(ordered.count == 30)
        #expect(Set(ordered.map(\.body)) == Set((31...60).map { AWSProcess.event($0) }))
        let ids = ordered.compactMap { message in message.deduplication.map { ($0, message.group) } }
        #expect(ids.allSatisfy { id, group in Int(id.dropFirst()).map { "c\($0 % 3)" } == group })
        let request = try await world.request("sqs")
        #expect(request.isSigned)
    }

    @Test(arguments: ["news", "news.fifo"]) func aTopicGetsBatches(name: String) async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess([world.target("t", "sns:eu-central-1:123456789012:\(name)")])
        try await aws.start()
        for n in Int64(1)...25 { try await aws.deliver(n, to: "t") }
        try await aws.acks(Set(1...25))
        let heard = try await world.receive(name == "news" ? "heard" : "heard.fifo")
        #expect(Set(heard.map(\.body)) == Set((1...25).map { AWSProcess.event($0) }))
        let request = try await world.request("sns")
        #expect(request.isSigned)
    }

    @Test func throttlingHoldsTheTargetAloneAndCostsNothing() async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess([world.target("f", Self.function), world.target("q", Self.queue)])
        try await aws.start()
        try await world.fail("lambda", 429)
        try await aws.deliver(1, to: "f")
        #expect(try await aws.window("f") == 0)
        let retry = try await aws.retry(1)
        #expect(!retry.counted && retry.code == "throttled" && (400...600).contains(retry.afterMs ?? 0))
        try await aws.deliver(2, to: "q")
        try await aws.acks([2])
        #expect(try await aws.window("f") == 64)
        try await aws.deliver(3, to: "f", attempt: 2, event: AWSProcess.event(1))
        try await aws.acks([3])
    }

    @Test func aQueueOfAnotherAccountIsReachedByItsRole() async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess([
            world.target(
                "far", "sqs:eu-central-1:210987654321:far",
                .init("role", .string("arn:aws:iam::210987654321:role/crowbar")),
                .init("sts_endpoint", .string(world.url)))
        ])
        try await aws.start()
        for n in Int64(1)...3 { try await aws.deliver(n, to: "far") }
        try await aws.acks([1, 2, 3])
        #expect(try await world.receive("far").count == 3)
        let assumed = try await world.request("sts")
        #expect(assumed.isSigned && assumed.body.contains("Action=AssumeRole"))
        let sent = try await world.request("sqs")
        #expect(sent.isSigned && sent.headers["x-amz-security-token"]?.string != nil)
    }

    @Test func aRoleThatIsDeniedHoldsItsEventsUntilItIsGranted() async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess([
            world.target(
                "far", "sqs:eu-central-1:210987654321:far",
                .init("role", .string("arn:aws:iam::210987654321:role/crowbar")),
                .init("sts_endpoint", .string(world.url)))
        ])
        let denied = "<E><Error><Code>AccessDenied</Code><Message>no trust</Message></Error></E>"
        try await world.fail("sts", times: 2, 403, denied)
        try await aws.start()
        try await aws.deliver(1, to: "far")
        let retry = try await aws.retry(1)
        #expect(!retry.counted && retry.code == "credentials" && retry.message.contains("no trust"))
        #expect(try await aws.status(.degraded).contains("no trust"))
        #expect(try await aws.window("far") == 0)
        #expect(try await aws.window("far") == 64)
        try await aws.deliver(2, to: "far", attempt: 2, event: AWSProcess.event(1))
        // STS may still be asked again.
        var settled = false
        var delivery: Int64 = 2
        while !settled {
            settled = try await aws.plugin.first("an end of \(delivery)", within: .seconds(20)) { message in
                if case .ack = message { true } else if case .retry = message { false } else { nil }
            }
            if settled { break }
            _ = try await aws.window("far")
            delivery += 1
            try await aws.deliver(delivery, to: "far", attempt: delivery, event: AWSProcess.event(1))
        }
        #expect(try await world.receive("far").map(\.body) == [AWSProcess.event(1)])
    }

    @Test func credentialsComeFromAContainersEndpoint() async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess(
            [world.target("q", Self.queue)],
            environment: [
                "AWS_CONTAINER_CREDENTIALS_FULL_URI=\(world.url)/container",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN=Basic abc",
            ])
        try await aws.start()
        try await aws.deliver(1, to: "q")
        try await aws.acks([1])
        #expect(try await world.request("container").headers["authorization"]?.string == "Basic abc")
        let sent = try await world.request("sqs")
        #expect(sent.isSigned && sent.headers["x-amz-security-token"]?.string == "container-token")
    }

    @Test func credentialsThatAreNotAcceptedCostNoTry() async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess([world.target("q", Self.queue)])
        try await aws.start()
        try await world.fail("sqs", 403, #"{"__type":"com.amazon.coral.service#ExpiredTokenException"}"#)
        try await aws.deliver(1, to: "q")
        let retry = try await aws.retry(1)
        #expect(!retry.counted && retry.code == "credentials")
        #expect(try await aws.window("q") == 0)
        #expect(try await aws.window("q") == 64)
        try await aws.deliver(2, to: "q", attempt: 2, event: AWSProcess.event(1))
        try await aws.acks([2])
    }

    @Test func nobodyThereIsTriedAgain() async throws {
        let json = JSON.object([
            .init("name", .string("q")), .init("arn", .string("arn:aws:" + Self.queue)),
            .init("endpoint", .string("http://127.0.0.1:1")),
        ])
        let aws = try await AWSProcess([json])
        try await aws.start()
        try await aws.deliver(1, to: "q")
        let retry = try await aws.retry(1)
        #expect(retry.counted && retry.code == "connect")
    }

    @Test func aDrainFinishesWhatIsInFlight() async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess([world.target("f", Self.function, .init("concurrency", .int(1)))])
        try await aws.start()
        try await world.fail("lambda", 202, wait: 0.3)
        try await aws.deliver(1, to: "f")
        try await aws.deliver(2, to: "f")
        _ = try await world.request("lambda")
        try await aws.plugin.send(.drain(deadlineMs: 10_000, why: "test"))
        #expect(try await aws.ack() == [1])
        let _: Bool = try await aws.plugin.first("drained") { $0 == .drained ? true : nil }
        #expect(try await aws.plugin.end() == .exited(0))
    }

    @Test func aPluginKilledInTheMiddleLosesNothing() async throws {
        let world = try await AWSWorld()
        let targets = [world.target("o", Self.fifo), world.target("f", Self.function)]
        let names = ["o", "f"]
        var unsettled = Set<Int64>(1...400)
        var delivery: Int64 = 0
        var open: [Int64: Int64] = [:]
        // As a host does, each process gets what its predecessors did not acknowledge; all but the last are killed.
        for round in 1...4 {
            let aws = try await AWSProcess(targets)
            try await aws.start()
            open = [:]
            for n in unsettled.sorted() {
                delivery += 1
                open[delivery] = n
                try await aws.deliver(
                    delivery, to: names[Int(n % 2)], attempt: Int64(round), event: AWSProcess.event(n))
            }
            while !unsettled.isEmpty, round == 4 || unsettled.count > 400 - 80 * round {
                for settled in try await aws.ack() { if let n = open[settled] { unsettled.remove(n) } }
            }
            aws.plugin.kill()
            #expect(try await aws.plugin.end() == .signalled(SIGKILL))
        }
        let odd = Set((1...400).filter { $0 % 2 == 1 }.map { AWSProcess.event($0) })
        let ordered = try await world.receive("ordered.fifo")
        #expect(Set(ordered.map(\.body)) == Set((1...400).filter { $0 % 2 == 0 }.map { AWSProcess.event($0) }))
        #expect(ordered.count == 200, "a FIFO queue drops by its id what came twice")
        var invoked: Set<String> = []
        while invoked.count < odd.count { invoked.insert(try await world.request("lambda").body) }
        #expect(invoked == odd)
    }

    @Test func aCheckAnswersAndNamesWhatIsWrong() async throws {
        let good = JSON.object([.init("name", .string("q")), .init("arn", .string("arn:aws:" + Self.queue))])
        let aws = try await AWSProcess([good], purpose: .check)
        guard case .ready = try await aws.plugin.next() else {
            Issue.record("a check of a good configuration answers ready")
            return
        }
        #expect(try await aws.plugin.end() == .exited(0))
        let bad = try await AWSProcess([good, good], purpose: .check)
        #expect(try await bad.fatal().path == "targets[1].name")
        #expect(try await bad.plugin.end() == .exited(78))
        let bare = try await AWSProcess([good], environment: [], purpose: .check)
        #expect(try await bare.fatal().path == "credentials")
        let file = try await AWSProcess([good], .init("credentials_file", .string("/no/such/file")), purpose: .check)
        #expect(try await file.fatal().path == "credentials_file")
    }

    // MARK: What the operator asks

    private func ask(_ aws: AWSProcess, _ what: String, _ queue: String?) async throws -> PluginMessage.Answer {
        try await aws.plugin.send(.ask(id: MessageID(5), what: what, queue: queue))
        return try await aws.plugin.first("an answer to \(what)", within: .seconds(20)) { message in
            if case .answer(MessageID(5), let answer) = message { answer } else { nil }
        }
    }

    private func told(_ aws: AWSProcess, _ what: String, _ queue: String?) async throws -> JSON {
        guard case .told(let json) = try await ask(aws, what, queue) else { throw Unanswered(what: what) }
        return json
    }

    private struct Unanswered: Error { var what: String }

    @Test func aTargetIsTestedAndItsLastTriesAreTold() async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess([
            world.target("f", Self.function), world.target("q", Self.queue),
            world.target("none", "sqs:eu-central-1:123456789012:nowhere"),
        ])
        try await aws.start()
        try await aws.deliver(1, to: "q")
        try await aws.acks([1])
        try await aws.deliver(2, to: "f", attempt: 3)
        try await aws.acks([2])
        for target in ["f", "q"] {
            let test = try await told(aws, "test-send", target)
            #expect(test["delivered"]?.bool == true && test["outcome"]?.string == "ok", "\(test)")
            #expect(test["eventId"]?.string?.hasPrefix("test-") == true && test["endpoint"]?.string == target)
        }
        let bodies = try await world.receive("plain").map(\.body)
        #expect(bodies.count == 2 && bodies.contains { $0.contains("AWS_TEST") && $0.contains("the target 'q'") })
        let missing = try await told(aws, "test-send", "none")
        #expect(missing["delivered"]?.bool == false && missing["outcome"]?.string == "not_found", "\(missing)")
        // Tests are no tries of the queue's.
        let mine = try #require(try await told(aws, "deliveries", "f").array)
        #expect(mine.map { $0["eventId"]?.string } == ["e2"] && mine.first?["attempt"]?.int == 3)
        #expect(mine.first?["url"]?.string == "arn:aws:" + Self.function)
        let all = try #require(try await told(aws, "deliveries", nil).array)
        #expect(Set(all.map { $0["eventId"]?.string }) == ["e1", "e2"])
        for what in ["test-send", "deliveries", "resume"] {
            #expect(try await ask(aws, what, "x") == .refused("there is no target 'x'"))
        }
        #expect(try await told(aws, "resume", "f") == .object([.init("endpoint", .string("f")), .init("was", .null)]))
        #expect(try await ask(aws, "juggle", "q") == .refused("'juggle' is not known here"))
    }
}
