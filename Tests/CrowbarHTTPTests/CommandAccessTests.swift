import CrowbarCore
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

/// Every command about a private channel by every kind of caller, and once more after a public one has taken its id.
@Suite(.serialized) struct CommandAccessTests {
    private typealias Kind = PrivateChannelTests.Kind
    private typealias Story = PrivateChannelTests

    /// What a caller tries, in this order: first what needs a membership, then to join, then everything else.
    enum Attempt: String, CaseIterable, Sendable {
        case create, topic, send, join, reply, edit, delete, react, takeBack, invite, remove, leave, destroy

        /// The channel: its destruction is tried with another one of the same story.
        var channel: String { self == .destroy ? "attic" : "vault" }

        var json: String {
            switch self {
            case .create: #""type":"CREATE_CHANNEL""#
            case .topic: #""type":"SET_TOPIC","topic":"mine""#
            case .send: #""type":"SEND_MESSAGE","message":"mine""#
            case .join: #""type":"JOIN_CHANNEL""#
            case .reply: #""type":"SEND_MESSAGE","message":"mine","replyTo":"p-message-1""#
            case .edit: #""type":"EDIT_MESSAGE","messageId":"p-message-2","message":"mine""#
            case .delete: #""type":"DELETE_MESSAGE","messageId":"p-message-1""#
            case .react: #""type":"ADD_REACTION","messageId":"p-message-3","reaction":"🎉""#
            case .takeBack: #""type":"REMOVE_REACTION","messageId":"p-message-3","reaction":"🎉""#
            case .invite: #""type":"INVITE_USER","invitee":"carol""#
            case .remove: #""type":"REMOVE_USER","member":"bob""#
            case .leave: #""type":"LEAVE_CHANNEL""#
            case .destroy: #""type":"DESTROY_CHANNEL""#
            }
        }
    }

    /// What each attempt is refused with; one that is not named is stored.
    private typealias Refusals = [Attempt: String]

    /// As for an id that was never used; only `channel_exists` shows that something is there.
    private static let hidden = Refusals(
        uniqueKeysWithValues: Attempt.allCases.map { ($0, $0 == .create ? "channel_exists" : "channel_not_found") })
    private static let unauthorized = Refusals(uniqueKeysWithValues: Attempt.allCases.map { ($0, "unauthorized") })

    private static func ofPrivateChannel(_ kind: Kind) -> Refusals {
        switch kind {
        case .creator: [.create: "channel_exists", .join: "already_a_member", .edit: "forbidden"]
        case .member:
            [
                .create: "channel_exists", .join: "already_a_member", .edit: "forbidden", .delete: "forbidden",
                .remove: "forbidden", .destroy: "forbidden",
            ]
        case .nonMember, .removed, .left: hidden
        case .invitee:
            // The join uses the invitation up and makes a member.
            [
                .create: "channel_exists", .topic: "not_a_member", .send: "not_a_member", .edit: "forbidden",
                .delete: "forbidden", .remove: "forbidden", .destroy: "forbidden",
            ]
        case .admin, .adminAll:
            [
                .create: "channel_exists", .topic: "not_a_member", .send: "not_a_member", .edit: "forbidden",
            ]
        case .anonymous: unauthorized
        }
    }

    /// The public channel: what somebody was in the one before is nothing here, and its messages are not there. Its
    /// creator is bob, and carol is a member.
    private static func ofPublicChannel(_ kind: Kind) -> Refusals {
        if kind == .anonymous { return unauthorized }
        var refusals: Refusals = [
            .create: "channel_exists", .reply: "message_not_found", .edit: "message_not_found",
            .delete: "message_not_found", .react: "message_not_found", .takeBack: "message_not_found",
            .invite: "invalid_command",
        ]
        if kind == .member || kind == .nonMember {
            refusals[.join] = "already_a_member"
        } else {
            refusals[.topic] = "not_a_member"
            refusals[.send] = "not_a_member"
        }
        let isInCharge = kind == .member || kind == .admin || kind == .adminAll
        if !isInCharge {
            refusals[.remove] = "forbidden"
            refusals[.destroy] = "forbidden"
        }
        // Bob has removed himself.
        if kind == .member { refusals[.leave] = "not_a_member" }
        return refusals
    }

    /// Tells the story of the private channel twice, once for each channel of ``Attempt/channel``.
    private static func prepare(_ server: TestServer) async throws {
        try await Story.prepare(server)
        for step in Story.story {
            try await Story.send(server, step.user, step.id, step.json, to: "vault")
            let (id, json) = (step.id.replacing("p-", with: "q-"), step.json.replacing("p-", with: "q-"))
            try await Story.send(server, step.user, id, json, to: "attic")
        }
    }

    private static func attempt(
        _ server: TestServer, _ kind: PrivateChannelTests.Kind, expecting refusals: [Attempt: String]
    ) async throws {
        for attempt in Attempt.allCases {
            let json = #"{"channelId":"\#(attempt.channel)",\#(attempt.json)}"#
            let answer = try await server.client.post(json, token: kind.token)
            #expect(answer.code == refusals[attempt], "\(kind) \(attempt): \(answer.text)")
            #expect((answer.status == 200) == (refusals[attempt] == nil), "\(kind) \(attempt): \(answer.text)")
            guard refusals[attempt] == "channel_not_found" else { continue }
            let never = try await server.client.post(
                json.replacing(attempt.channel, with: "never"), token: kind.token)
            #expect(answer.text == never.text.replacing("never", with: attempt.channel), "\(kind) \(attempt)")
            #expect(answer.status == never.status && answer.headers.map(\.name) == never.headers.map(\.name))
        }
    }

    @Test(arguments: PrivateChannelTests.Kind.allCases)
    func everyCommandIsDecidedByTheCallersPart(_ kind: PrivateChannelTests.Kind) async throws {
        try await TestServer.run(anonymousRead: true) { server in
            try await Self.prepare(server)
            try await Self.attempt(server, kind, expecting: Self.ofPrivateChannel(kind))
        }
    }

    @Test(arguments: PrivateChannelTests.Kind.allCases)
    func thePublicChannelOfTheSameIdKnowsNothingOfTheOneBefore(_ kind: PrivateChannelTests.Kind) async throws {
        try await TestServer.run(anonymousRead: true) { server in
            try await Self.prepare(server)
            for (channel, letter) in [("vault", "o"), ("attic", "n")] {
                for (user, id, json) in [
                    ("alice", "destroy", #""type":"DESTROY_CHANNEL""#), ("bob", "create", #""type":"CREATE_CHANNEL""#),
                    ("carol", "join", #""type":"JOIN_CHANNEL""#),
                ] { try await Story.send(server, user, "\(letter)-\(id)", json, to: channel) }
            }
            try await Self.attempt(server, kind, expecting: Self.ofPublicChannel(kind))
        }
    }

    /// An id is known whether the caller may read its event or not, or the same id could be stored twice.
    @Test func theIdOfAnInvisibleEventIsTaken() async throws {
        try await TestServer.run { server in
            try await Self.prepare(server)
            for user in ["carol", "eve"] {
                let answer = try await server.client.post(
                    #"{"type":"RENAME_USER","name":"N","eventId":"p-message-1"}"#, token: user)
                #expect(answer.status == 409 && answer.code == "event_id_conflict", "\(answer.text)")
                #expect(!answer.text.contains("secret") && !answer.text.contains("vault"), "\(answer.text)")
            }
        }
    }
}
