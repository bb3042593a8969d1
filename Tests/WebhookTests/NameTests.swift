import CrowbarTesting
import Foundation
import JSONBytes
import PluginWire
import Testing

/// Endpoints given by names, under a resolver that answers as the test says.
@Suite struct NameTests {
    /// A resolver's answers, and the library that gives them.
    private struct Resolver {
        let folder = FileManager.default.temporaryDirectory.appending(path: "crowbar-names-\(UUID().uuidString)")
        var hosts: URL { folder.appending(path: "hosts") }
        var environment: [String] {
            [
                "LD_PRELOAD=\(folder.appending(path: "resolver.so").path)",
                "CROWBAR_TEST_HOSTS=\(hosts.path)",
            ]
        }

        init() async throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "resolver.c").path
            // Swift comes with clang, so that it is there wherever the tests are built.
            let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
            let compiler = try LineProcess(
                "/usr/bin/env",
                arguments: ["clang", "-shared", "-fPIC", "-o", folder.appending(path: "resolver.so").path, source],
                environment: ["PATH=\(path)"])
            let end = try await compiler.end(within: .seconds(60))
            try #require(end == .exited(0), "\(compiler.standardError)")
        }

        func say(_ lines: String...) throws {
            try (lines.joined(separator: "\n") + "\n").write(to: hosts, atomically: true, encoding: .utf8)
        }

        func remove() { try? FileManager.default.removeItem(at: folder) }
    }

    private static let loopback = JSON.array([.string("127.0.0.0/8")])

    @Test func aNameIsJudgedByWhatItStandsFor() async throws {
        let (receiver, resolver) = (try await Receiver(), try await Resolver())
        defer { resolver.remove() }
        try resolver.say(
            "private.test 10.0.0.1", "loop.test 127.0.0.1", "mapped.test ::ffff:127.0.0.1", "six.test ::1",
            "metadata.test 169.254.169.254", "nat.test 64:ff9b::7f00:1")
        let names = ["private", "loop", "mapped", "six", "metadata", "nat", "nowhere"]
        let webhook = try await WebhookProcess(
            names.map { endpoint($0, "http://\($0).test:\(receiver.port)/\($0)", allowPrivate: nil) }
                + [endpoint("allowed", "http://loop.test:\(receiver.port)/allowed", allowPrivate: Self.loopback)],
            environment: resolver.environment)
        try await webhook.start()
        // The open connection of the one that may is of no use to the one that may not.
        try await webhook.deliver(100, to: "allowed")
        try await webhook.acks([100])
        for (i, name) in names.dropLast().enumerated() {
            try await webhook.deliver(Int64(i), to: name)
            let rejected = try await webhook.reject(Int64(i))
            #expect(rejected.code == "address_denied" && rejected.deadLetter, "\(name)")
        }
        try await webhook.deliver(50, to: "nowhere")
        #expect(try await webhook.retry(50).code == "dns")
        #expect(try await receiver.request().path == "/allowed")
        #expect(try receiver.unread().isEmpty)
    }

    @Test func ofSeveralAddressesOnlyTheAllowedAreTried() async throws {
        let (receiver, resolver) = (try await Receiver(), try await Resolver())
        defer { resolver.remove() }
        try resolver.say(
            "first.test 10.0.0.1 127.0.0.1", "last.test 127.0.0.1 10.0.0.1", "both.test ::1 127.0.0.1",
            "none.test 10.0.0.1 ::1 169.254.169.254", "closed.test 10.0.0.1 127.0.0.9")
        let names = ["first", "last", "both", "none", "closed"]
        let webhook = try await WebhookProcess(
            names.map {
                endpoint($0, "http://\($0).test:\(receiver.port)/\($0)", allowPrivate: Self.loopback)
            }, environment: resolver.environment)
        try await webhook.start()
        for (i, name) in names.enumerated() { try await webhook.deliver(Int64(i), to: name) }
        try await webhook.acks([0, 1, 2])
        #expect(try await webhook.reject(3).code == "address_denied")
        // One that may be tried and does not answer is a failure that may pass.
        #expect(try await webhook.retry(4).code == "connect")
        #expect(Set(try await receiver.requests(3).map(\.path)) == ["/first", "/last", "/both"])
    }

    @Test func aNameThatChangesIsJudgedAgain() async throws {
        let (receiver, other, resolver) = (try await Receiver(), try await Receiver(), try await Resolver())
        defer { resolver.remove() }
        try resolver.say("turns.test 127.0.0.1")
        let webhook = try await WebhookProcess(
            [
                endpoint("fresh", "http://turns.test:\(receiver.port)/close", allowPrivate: Self.loopback),
                endpoint("kept", "http://turns.test:\(other.port)/kept", allowPrivate: Self.loopback),
            ], environment: resolver.environment)
        try await webhook.start()
        for (delivery, name) in [(Int64(1), "fresh"), (2, "kept")] {
            try await webhook.deliver(delivery, to: name)
            try await webhook.acks([delivery])
        }
        // An answer is remembered for some seconds; from then on each new connection is judged by the new one.
        try resolver.say("turns.test 10.0.0.1")
        var delivery: Int64 = 10
        let end = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < end {
            try await webhook.deliver(delivery, to: "fresh")
            if try await webhook.isDenied(delivery) { break }
            delivery += 1
        }
        #expect(ContinuousClock.now < end)
        // The connection that was allowed leads where it led, and goes on.
        try await webhook.deliver(1000, to: "kept")
        try await webhook.acks([1000])
    }
}

extension WebhookProcess {
    /// Waits for the end of a delivery: whether it was denied for its address, or acknowledged.
    fileprivate func isDenied(_ delivery: Int64) async throws -> Bool {
        try await plugin.first("the end of \(delivery)") { message in
            switch message {
            case .ack(.one(delivery), _): false
            case .ack(.many(let deliveries), _) where deliveries.contains(delivery): false
            case .reject(delivery, "address_denied", _, true): true
            default: nil
            }
        }
    }
}
