import Basics
import CrowbarTesting
import Glibc
import JSONBytes
import OpenSSL
import PluginKit
import PluginWire
import Testing

@testable import Webhook

/// Several keys an endpoint, of both kinds, with an end each.
@Suite struct SigningKeyTests {
    /// RFC 8032, section 7.1, test 1: private and public key.
    private static let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    private static let publicKey = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    private static let other = "whsec_" + Base64.encode([UInt8](repeating: 7, count: 32))
    private static let privateKey = "whsk_" + Base64.encode(seed)

    private static func hex(_ text: String) -> [UInt8] {
        stride(from: 0, to: text.count, by: 2).compactMap { UInt8(text.dropFirst($0).prefix(2), radix: 16) }
    }

    private static func key(_ secret: String, expires: String? = nil) -> JSON {
        .object([.init("secret", .string(secret))] + (expires.map { [.init("expires", .string($0))] } ?? []))
    }

    private static func endpoint(_ name: String, _ url: String, keys: JSON...) -> JSON {
        .object([
            .init("name", .string(name)), .init("url", .string(url)), .init("allow_private", .bool(true)),
            .init("keys", .array(keys)),
        ])
    }

    private static func signer(_ keys: JSON..., now: Int64 = 0) throws -> Signer? {
        var table = ConfigurationTable(.object([.init("keys", .array(keys))]), path: "e", known: ["keys"])
        let signer = SignerReader.read(&table, now: now, isRequired: true)
        if let problem = table.problems.first { throw Refused(problem: problem) }
        return signer
    }

    /// What stands in an endpoint's table, and the problem with it; nil: it goes unsigned.
    @Test(
        arguments: [
            ([("unsigned", .bool(true))], nil), ([("unsigned", .bool(false))], "secret"), ([], "secret"),
            ([("unsigned", .string("yes"))], "unsigned"),
            ([("unsigned", .bool(true)), ("secret", .string(Receiver.secret))], "unsigned"),
            ([("unsigned", .bool(true)), ("keys", .array([key(Receiver.secret)]))], "unsigned"),
        ] as [([(String, JSON)], String?)])
    func anEndpointGoesUnsignedOnlyByItsOwnWord(_ members: [(String, JSON)], _ path: String?) {
        var table = ConfigurationTable(
            .object(members.map { .init($0.0, $0.1) }), path: "e", known: ["unsigned", "secret", "keys"])
        let signer = SignerReader.read(&table, now: 0, isRequired: true)
        #expect(table.problems.first?.path == path.map { "e." + $0 })
        #expect((signer?.keys.isEmpty == true) == (path == nil))
    }

    @Test(arguments: ["event", "cloudevents", "cloudevents-structured"])
    func anUnsignedBodyArrives(_ body: String) async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            .object([
                .init("name", .string("plain")), .init("url", .string(receiver.url("/in"))),
                .init("allow_private", .bool(true)), .init("body", .string(body)), .init("unsigned", .bool(true)),
            ])
        ])
        try await webhook.start()
        let event = #"{"eventId":"e1","timestamp":7,"type":"MESSAGE_SENT","message":"x"}"#
        try await webhook.deliver(1, to: "plain", event: event)
        try await webhook.acks([1])
        let request = try await receiver.request()
        #expect(request.id == "e1" && request.headers["webhook-signature"] == nil && !request.isVerified)
        #expect(request.body.contains("MESSAGE_SENT"))
    }

    private struct Refused: Error { var problem: PluginMessage.Problem }

    /// RFC 8032, section 7.1, tests 1 and 2.
    @Test(arguments: [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
                + "d25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
                + "387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ])
    func ed25519SignsAsItsStandardSays(seed: String, publicKey: String, message: String, signature: String) throws {
        let key = try #require(Ed25519PrivateKey(Self.hex(seed)))
        #expect(key.publicKey == Self.hex(publicKey))
        #expect(key.sign(Self.hex(message)) == Self.hex(signature))
    }

    @Test(arguments: [0, 31, 33, 64])
    func aPrivateKeyOfEd25519Has32Bytes(count: Int) {
        #expect(Ed25519PrivateKey([UInt8](repeating: 1, count: count)) == nil)
    }

    @Test(arguments: [
        ("whsec_AAAA", SigningKey.Refusal.malformed), ("whsk_AAAA", .malformed), ("whsk_", .malformed),
        ("whsk_" + Base64.encode([UInt8](repeating: 1, count: 33)), .malformed),
        ("whpk_" + Base64.encode(publicKey), .publicKey),
        ("whsk_" + Base64.encode(seed + seed), .otherPublicKey), ("geheim", .malformed),
        (Receiver.secret + "\n", .padded), (" " + Receiver.secret, .padded),
    ])
    func aTextThatIsNoKeyIsRefusedAndNotTold(text: String, refusal: SigningKey.Refusal) {
        #expect(throws: refusal) { try SigningKey(text) }
        #expect(!"\(refusal)".contains(text.dropFirst(6).prefix(8)) || text.count < 14)
    }

    @Test func aPrivateKeyMayBringItsPublicKey() throws {
        let alone = try SigningKey(Self.privateKey)
        let both = try SigningKey("whsk_" + Base64.encode(Self.seed + Self.publicKey))
        let signature = alone.signature(id: "a", timestamp: 1, body: [1])
        #expect(signature?.hasPrefix("v1a,") == true)
        #expect(both.signature(id: "a", timestamp: 1, body: [1]) == signature)
        #expect("\(alone)" == "whsk_…" && !String(reflecting: both).contains(Base64.encode(Self.seed).prefix(8)))
    }

    @Test func whatHasExpiredSignsNoMore() throws {
        let first = Self.key(Receiver.secret, expires: "1970-01-01T00:16:40Z")
        let second = Self.key(Self.privateKey, expires: "1970-01-01T00:33:20.5Z")
        let signer = try #require(try Self.signer(first, second))
        func versions(_ time: Int64) -> [String] {
            (signer.signatures(id: "a", timestamp: time, body: []) ?? "").split(separator: " ").map {
                String($0.prefix { $0 != "," })
            }
        }
        #expect(versions(999) == ["v1", "v1a"])
        #expect(versions(1000) == ["v1a"])
        #expect(versions(2000) == [])
        #expect(!signer.isExpired(at: 1999) && signer.isExpired(at: 2000))
    }

    @Test(arguments: [
        (JSON.array([]), "keys", "a list of 1 to 8"), (.string("x"), "keys", "a list of 1 to 8"),
        (.array([.string("x")]), "keys[0]", "a table"),
        (.array([.object([])]), "keys[0].secret", "is missing"),
        (.array([key("geheim")]), "keys[0].secret", "whsk_ and base 64"),
        (
            .array([key(Receiver.secret), key(Receiver.secret, expires: "tomorrow")]), "keys[1].expires",
            "a time in UTC"
        ),
        (.array([key(Receiver.secret, expires: "2026-02-30T00:00:00Z")]), "keys[0].expires", "a time in UTC"),
        (.array([key(Receiver.secret, expires: "2001-09-09T01:46:40Z")]), "keys", "none of these keys is valid"),
        (.array((0..<9).map { _ in key(Receiver.secret) }), "keys", "a list of 1 to 8"),
    ])
    func wrongKeysAreNamedByTheirPath(keys: JSON, path: String, text: String) throws {
        var table = ConfigurationTable(.object([.init("keys", keys)]), path: "", known: ["keys"])
        _ = SignerReader.read(&table, now: 1_000_000_000, isRequired: true)
        let problem = try #require(table.problems.first)
        #expect(problem.path == path)
        #expect(problem.message.contains(text), "\(problem.message)")
        #expect(!problem.message.contains("geheim"))
    }

    @Test func secretAndKeysAreNotGivenTogether() throws {
        let json = JSON.object([
            .init("secret", .string(Receiver.secret)), .init("keys", .array([Self.key(Self.other)])),
        ])
        var table = ConfigurationTable(json, path: "", known: ["keys", "secret"])
        _ = SignerReader.read(&table, now: 0, isRequired: true)
        #expect(table.problems.first?.message.contains("not both") == true)
    }

    // MARK: As a process

    @Test func everyValidKeySignsAndOthersVerify() async throws {
        let (receiver, judge) = (try await Receiver(), try await Judge())
        let webhook = try await WebhookProcess([
            Self.endpoint(
                "a", receiver.url("/in"), keys: Self.key(Receiver.secret, expires: "2999-01-01T00:00:00Z"),
                Self.key(Self.other), Self.key(Self.privateKey),
                Self.key("whsec_" + Base64.encode([UInt8](repeating: 9, count: 24)), expires: "2020-01-01T00:00:00Z"))
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "a")
        let request = try await receiver.request()
        try await webhook.acks([1])
        #expect(request.headers["webhook-signature"]?.string?.split(separator: " ").count == 3)
        for secret in [Receiver.secret, Self.other, Self.privateKey] {
            #expect(try await judge.isSigned(request, with: secret))
        }
        for number in [9, 8] as [UInt8] {
            let stranger = "whsec_" + Base64.encode([UInt8](repeating: number, count: 24))
            #expect(try await judge.isSigned(request, with: stranger) == false)
        }
        #expect(try await judge.isSigned(request, with: "whsk_" + Base64.encode(Self.publicKey)) == false)
    }

    @Test func anEndpointWhoseKeysHaveExpiredIsHeldAndSaysSo() async throws {
        let receiver = try await Receiver()
        let old = Self.endpoint(
            "old", receiver.url("/old"), keys: Self.key(Receiver.secret, expires: "2020-01-01T00:00:00Z"))
        let good = Self.endpoint("good", receiver.url("/good"), keys: Self.key(Receiver.secret))
        let webhook = try await WebhookProcess([old, good])
        try await webhook.start()
        #expect(try await webhook.window("old") == 0)
        let status = try await webhook.status(.down)
        #expect(status.message.contains("without a signing key that is still valid"))
        #expect(status.message.contains("old") && !status.message.contains("good"))
        // Each endpoint is listed with what is its own.
        #expect(status.details["old"]?["state"]?.string == "down")
        #expect(status.details["old"]?["message"]?.string?.contains("no signing key is still valid") == true)
        #expect(status.details["good"]?["state"]?.string == "ok" && status.details["good"]?["message"]?.string == "")
        try await webhook.deliver(1, to: "good")
        try await webhook.acks([1])
        #expect(try await receiver.request().path == "/good")

        let check = try await WebhookProcess([old, good], purpose: .check)
        let problem = try await check.fatal()
        #expect(problem.path == "endpoints[0].keys")
        #expect(problem.message.contains("none of these keys is valid any more"))
    }

    @Test func aKeyThatExpiresWhileThePluginRunsStopsItsEndpoint() async throws {
        let receiver = try await Receiver()
        let end = Int64(time(nil)) + 3
        let text = Timestamp.rfc3339(end * 1000)
        #expect(Timestamp.parse(text) == end)
        let webhook = try await WebhookProcess([
            Self.endpoint("a", receiver.url("/in"), keys: Self.key(Receiver.secret, expires: text))
        ])
        try await webhook.start()
        var delivery: Int64 = 0
        // The end comes while deliveries go on: each settles as an ack until then, and the first one after it is given
        // back uncounted, behind the window of 0 that holds the others.
        var isHeld = false
        while !isHeld {
            delivery += 1
            try await webhook.deliver(delivery, to: "a")
            let current = delivery
            isHeld = try await webhook.plugin.first("a settlement") { message in
                switch message {
                case .ack(.one(current), _): false
                case .window("a", 0): true
                default: nil
                }
            }
        }
        #expect(Int64(time(nil)) >= end)
        // A machine so slow that the process began after the end holds the endpoint from the start, and posts nothing.
        if delivery > 1 {
            let retry = try await webhook.retry(delivery)
            #expect(retry.code == "keys_expired" && !retry.counted)
        }
        #expect(try await webhook.status(.down).message.contains("signing key"))
    }
}
