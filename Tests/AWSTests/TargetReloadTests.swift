import CrowbarTesting
import Foundation
import JSONBytes
import PluginWire
import Testing

/// A new configuration for the real executable while it works, and a target that only fails.
@Suite struct TargetReloadTests {
    private static let function = "lambda:eu-central-1:123456789012:function:audit"
    private static let queue = "sqs:eu-central-1:123456789012:plain"

    @Test func aTargetComesAndOneGoesAndTheOthersNoticeNothing() async throws {
        let world = try await AWSWorld()
        let (slow, gone, new) = (
            world.target("slow", Self.function), world.target("gone", Self.queue), world.target("new", Self.queue)
        )
        let aws = try await AWSProcess([slow, gone])
        #expect(try await aws.start().reload)
        try await world.fail("lambda", 202, wait: 0.4)
        try await aws.deliver(1, to: "slow")
        let queues = try await aws.reload([new, slow])
        #expect(queues.map(\.name) == ["new", "slow"] && queues.map(\.window) == [64, 64])
        // What was on its way to the one that was removed is void.
        try await aws.deliver(2, to: "gone")
        try await aws.begin("new")
        try await aws.deliver(3, to: "new")
        try await aws.acks([1, 3])
        try await aws.deliver(4, to: "slow")
        try await aws.acks([4])
        #expect(try await world.receive("plain").map(\.body) == [AWSProcess.event(3)])
        let settled = try aws.plugin.unread().contains { message in
            if case .reject = message { true } else { false }
        }
        #expect(!settled)
        // It comes back.
        try await aws.reload([new, slow, gone])
        try await aws.begin("gone")
        try await aws.deliver(5, to: "gone")
        try await aws.acks([5])
    }

    @Test func aTryUnderTheOldConfigurationSaysNothingOfTheNewOne() async throws {
        let world = try await AWSWorld()
        let aws = try await AWSProcess([world.target("f", Self.function)])
        try await aws.start()
        try await world.fail("lambda", 500, wait: 0.6)
        try await aws.deliver(1, to: "f")
        // The answer is given in the turn of the loop that sends the delivery.
        try await aws.plugin.send(.ask(id: MessageID(9), what: "deliveries", queue: nil))
        let _: Bool = try await aws.plugin.first("an answer") { message in
            if case .answer(MessageID(9), _) = message { true } else { nil }
        }
        try await aws.reload([world.target("f", Self.function, .init("concurrency", .int(7)))])
        let retry = try await aws.retry(1)
        #expect(retry.code == "changed" && !retry.counted && retry.afterMs == 0)
        try await aws.deliver(3, to: "f", attempt: 2, event: AWSProcess.event(1))
        try await aws.acks([3])
    }

    @Test func aWrongConfigurationIsRefusedAndTheOldOneGoesOn() async throws {
        let world = try await AWSWorld()
        let good = world.target("q", Self.queue)
        let aws = try await AWSProcess([good])
        try await aws.start()
        let problem = try await aws.refusal(of: [good, world.target("f", Self.function, .init("concurrency", .int(0)))])
        #expect(problem.path == "targets[1].concurrency")
        #expect(try await aws.refusal(of: []).path == "targets")
        try await aws.deliver(1, to: "q")
        try await aws.acks([1])
    }

    @Test func otherCredentialsCountFromTheReloadOn() async throws {
        let world = try await AWSWorld()
        let folder = FileManager.default.temporaryDirectory.appending(path: "credentials-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "credentials")
        let text = "[default]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = wrong\n"
        try text.write(to: file, atomically: true, encoding: .utf8)
        let target = world.target("f", Self.function)
        let aws = try await AWSProcess([target], .init("credentials_file", .string(file.path)))
        try await aws.start()
        try await aws.deliver(1, to: "f")
        try await aws.acks([1])
        #expect(try await !world.request("lambda").isSigned)
        try await aws.reload([target], .init("credentials", .string("environment")))
        try await aws.deliver(2, to: "f")
        try await aws.acks([2])
        #expect(try await world.request("lambda").isSigned)
    }

    @Test func aTargetThatOnlyFailsIsPausedAndProbedAfterARestart() async throws {
        let world = try await AWSWorld()
        let targets = [world.target("bad", Self.queue), world.target("good", Self.function)]
        let aws = try await AWSProcess(targets)
        try await aws.start()
        try await world.fail("sqs", times: 1001, 500)
        for delivery in Int64(1)...1000 { try await aws.deliver(delivery, to: "bad", attempt: 2) }
        #expect(try await aws.window("bad") == 0)
        try await aws.status(.degraded, saying: "paused, tried once an hour: bad (http_500)")
        try await aws.deliver(2000, to: "good")
        let _: Bool = try await aws.plugin.first("the other target's ack") { message in
            if case .ack(.one(2000), _) = message { true } else { nil }
        }
        let state = try await aws.plugin.first("a state") { message in
            if case .state("bad", let state) = message { state } else { nil }
        }
        // The same target after a restart, when the hour is over.
        var health = try #require(state["health"]?.members)
        health = health.map { $0.key == "probe" ? .init("probe", .int(0)) : $0 }
        let again = try await AWSProcess(targets)
        try await again.start(states: [
            "bad": .object([.init("of", state["of"] ?? .null), .init("health", .object(health))])
        ])
        #expect(try await again.window("bad") == 0)
        #expect(try await again.window("bad") == 1)
        // A probe that fails costs the event nothing.
        try await again.deliver(1, to: "bad", attempt: 2)
        #expect(try await !again.retry(1).counted)
        // An operator does not wait for the next one.
        try await again.plugin.send(.ask(id: MessageID(9), what: "resume", queue: "bad"))
        #expect(try await again.window("bad") == 0)
        #expect(try await again.window("bad") == 64)
        // Another configuration is another target.
        let changed = try await AWSProcess([
            world.target("bad", Self.queue, .init("timeout", .string("20s"))), targets[1],
        ])
        try await changed.start(states: ["bad": state])
        try await changed.deliver(1, to: "good")
        try await changed.acks([1])
        let windows = try changed.plugin.unread().contains { message in
            if case .window = message { true } else { false }
        }
        #expect(!windows)
    }
}
