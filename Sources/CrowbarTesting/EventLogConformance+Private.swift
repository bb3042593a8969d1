import CrowbarCore

extension EventLogConformance {
    private typealias Step = (actor: String, json: String)

    private static func command(_ type: String, _ channel: String, _ more: String = "") -> String {
        #"{"type":"\#(type)","channelId":"\#(channel)"\#(more)}"#
    }

    private static let create: Step = ("ann", command("CREATE_CHANNEL", "vault", #","private":true"#))
    private static let eve: Step = ("eve", #"{"type":"REGISTER_USER","userId":"eve","name":"Eve"}"#)
    private static let invite: Step = ("ann", command("INVITE_USER", "vault", #","invitee":"bob""#))
    private static let inviteEve: Step = ("bob", command("INVITE_USER", "vault", #","invitee":"eve""#))
    private static let join: Step = ("bob", command("JOIN_CHANNEL", "vault"))
    private static let leave: Step = ("bob", command("LEAVE_CHANNEL", "vault"))
    private static let annLeaves: Step = ("ann", command("LEAVE_CHANNEL", "vault"))
    private static let remove: Step = ("ann", command("REMOVE_USER", "vault", #","member":"bob""#))
    private static let destroy: Step = ("ann", command("DESTROY_CHANNEL", "vault"))
    private static let message: Step = (
        "ann", command("SEND_MESSAGE", "vault", #","message":"one","messageId":"m""#)
    )

    /// On a log with the users ann and bob, and the public channel `general` created by ann.
    static let privateRows: [Row] = [
        Row("create a private channel", create.json),
        Row("create the id of a private one", after: [create], as: "bob", create.json, .channelExists),
        Row("create a public one of its id once it is destroyed", after: [create, destroy], as: "bob", create.json),
        Row("join uninvited", after: [create], as: "bob", join.json, .channelNotFound),
        Row("join as an admin", after: [create], as: "bob", isAdmin: true, join.json),
        Row("join invited", after: [create, invite], as: "bob", join.json),
        Row("join twice", after: [create, invite, join], as: "bob", join.json, .alreadyAMember),
        Row("an invitation is used up", after: [create, invite, join, leave], as: "bob", join.json, .channelNotFound),
        Row("join withdrawn", after: [create, invite, remove], as: "bob", join.json, .channelNotFound),
        Row("join removed", after: [create, invite, join, remove], as: "bob", join.json, .channelNotFound),
        Row(
            "join invited anew", after: [create, invite, join, remove, invite], as: "bob", join.json),
        Row(
            "an invitation ends with its channel", after: [create, invite, destroy, create], as: "bob", join.json,
            .channelNotFound),
        Row("invite", after: [create], invite.json),
        Row(
            "invite by a member who is not the creator", after: [create, invite, join, eve], as: "bob", inviteEve.json),
        Row("invite by an invitee", after: [create, invite, eve], as: "bob", inviteEve.json, .notAMember),
        Row("invite by a stranger", after: [create, eve], as: "bob", inviteEve.json, .channelNotFound),
        Row("invite by an admin", after: [create, eve], as: "bob", isAdmin: true, inviteEve.json, .notAMember),
        Row("invite nobody", after: [create, invite, join], as: "bob", inviteEve.json, .userNotFound),
        Row("invite a member", after: [create, invite, join], invite.json, .alreadyAMember),
        Row("invite twice", after: [create, invite], invite.json, .alreadyInvited),
        Row("invite to a public channel", command("INVITE_USER", "general", #","invitee":"bob""#), .invalidCommand),
        Row(
            "a public channel comes first", as: "bob", command("INVITE_USER", "general", #","invitee":"x""#),
            .invalidCommand),
        Row("invite to none", invite.json, .channelNotFound),
        Row("remove a member", after: [create, invite, join], remove.json),
        Row("remove an invitee", after: [create, invite], remove.json),
        Row("remove twice", after: [create, invite, join, remove], remove.json, .notAMember),
        Row("remove nobody", after: [create], remove.json, .notAMember),
        Row(
            "remove by a member", after: [create, invite, join], as: "bob",
            command("REMOVE_USER", "vault", #","member":"ann""#), .forbidden),
        Row(
            "remove by an admin", after: [create], as: "bob", isAdmin: true,
            command("REMOVE_USER", "vault", #","member":"ann""#)),
        Row(
            "remove by a stranger", after: [create], as: "bob",
            command("REMOVE_USER", "vault", #","member":"ann""#), .channelNotFound),
        Row("a creator who left is a stranger", after: [create, annLeaves], remove.json, .channelNotFound),
        Row("a creator who left destroys nothing", after: [create, annLeaves], destroy.json, .channelNotFound),
        Row(
            "an invited creator is in charge of nothing",
            after: [create, invite, join, annLeaves, ("bob", command("INVITE_USER", "vault", #","invitee":"ann""#))],
            destroy.json, .forbidden),
        Row(
            "remove oneself", after: [create], command("REMOVE_USER", "vault", #","member":"ann""#)),
        Row(
            "remove from a public channel", after: [("bob", command("JOIN_CHANNEL", "general"))],
            command("REMOVE_USER", "general", #","member":"bob""#)),
        Row(
            "remove from a public channel by a stranger", as: "bob",
            command("REMOVE_USER", "general", #","member":"ann""#), .forbidden),
        Row("remove from none", remove.json, .channelNotFound),
        Row("send by a stranger", after: [create], as: "bob", message.json, .channelNotFound),
        Row("send by an invitee", after: [create, invite], as: "bob", message.json, .notAMember),
        Row("send by an admin", after: [create], as: "bob", isAdmin: true, message.json, .notAMember),
        Row("send by a member", after: [create, invite, join], as: "bob", message.json),
        Row("destroy by an admin", after: [create], as: "bob", isAdmin: true, destroy.json),
        Row("destroy by a member", after: [create, invite, join], as: "bob", destroy.json, .forbidden),
        Row(
            "delete by an admin who is no member", after: [create, message], as: "bob", isAdmin: true,
            command("DELETE_MESSAGE", "vault", #","messageId":"m""#)),
        Row("nobody", after: [create], as: "eve", join.json, .userNotFound),
    ]

    private static func react(_ type: String, _ reaction: String = "👍", _ message: String = "m") -> String {
        command("\(type)_REACTION", "general", #","messageId":"\#(message)","reaction":"\#(reaction)""#)
    }

    private static let sent: Step = (
        "ann", command("SEND_MESSAGE", "general", #","message":"one","messageId":"m""#)
    )
    private static let deleted: Step = ("ann", command("DELETE_MESSAGE", "general", #","messageId":"m""#))
    private static let reacted: Step = ("ann", react("ADD"))
    private static let bobIn: Step = ("bob", command("JOIN_CHANNEL", "general"))

    static let reactionRows: [Row] = [
        Row("react", after: [sent], react("ADD")),
        Row("react twice", after: [sent, reacted], react("ADD"), .alreadyReacted),
        Row("react otherwise", after: [sent, reacted], react("ADD", ":+1:")),
        Row("react as another did", after: [sent, reacted, bobIn], as: "bob", react("ADD")),
        Row("react as a stranger", after: [sent], as: "bob", react("ADD"), .notAMember),
        Row("react to nothing", react("ADD"), .messageNotFound),
        Row("react to a deleted message", after: [sent, deleted], react("ADD"), .messageNotFound),
        Row("take back", after: [sent, reacted], react("REMOVE")),
        Row("take back and react", after: [sent, reacted, ("ann", react("REMOVE"))], react("ADD")),
        Row("take back twice", after: [sent, reacted, ("ann", react("REMOVE"))], react("REMOVE"), .notReacted),
        Row("take back another's", after: [sent, reacted, bobIn], as: "bob", react("REMOVE"), .notReacted),
        Row("take back as a stranger", after: [sent, reacted], as: "bob", react("REMOVE"), .notAMember),
        Row("take back from a deleted message", after: [sent, reacted, deleted], react("REMOVE"), .messageNotFound),
        Row(
            "reactions do not come back with a channel",
            after: [
                sent, reacted, ("ann", command("DESTROY_CHANNEL", "general")),
                ("ann", command("CREATE_CHANNEL", "general")), sent,
            ], react("REMOVE"), .notReacted),
    ]

    /// Every command about a channel, as somebody gives it who is not in the channel.
    private static func attempts(_ channel: String) -> [String] {
        CommandType.allCases.filter { $0.hasChannel && $0 != .createChannel }.map { type in
            let more =
                switch type {
                case .setTopic: #","topic":"t""#
                case .sendMessage: #","message":"x""#
                case .editMessage: #","messageId":"m","message":"x""#
                case .deleteMessage: #","messageId":"m""#
                case .inviteUser: #","invitee":"ann""#
                case .removeUser: #","member":"ann""#
                case .addReaction, .removeReaction: #","messageId":"m","reaction":"x""#
                case .registerUser, .renameUser, .createChannel, .destroyChannel, .joinChannel, .leaveChannel: ""
                }
            return command(type.rawValue, channel, more)
        }
    }

    private static let strangers: [(name: String, before: [Step])] = [
        ("somebody", []), ("a removed member", [invite, join, remove]), ("who left", [invite, join, leave]),
        ("who was invited once", [invite, remove]), ("a member of an earlier life", [invite, join, destroy, create]),
        ("an invitee of an earlier life", [invite, destroy, create]),
    ]

    static let privacy: [EventLogConformance] =
        strangers.map { stranger in
            EventLogConformance("a private channel is not there for \(stranger.name), in the same words") { driver in
                try await driver.settle()
                for step in [create] + stranger.before + [message] {
                    try await driver.store(step.json, as: step.actor)
                }
                for (hidden, unknown) in zip(attempts("vault"), attempts("never")) {
                    let (found, expected) = (
                        try await driver.send(hidden, as: "bob"), try await driver.send(unknown, as: "bob")
                    )
                    guard case .failure(let refusal) = found, case .failure(let model) = expected else {
                        throw ConformanceFailure("stored: \(hidden)", line: #line)
                    }
                    try expectEqual(refusal.code, model.code, hidden)
                    try expectEqual(refusal.field, model.field, hidden)
                    try expectEqual(refusal.message, model.message.replacing("never", with: "vault"), hidden)
                }
            }
        } + [
            EventLogConformance("events have the audience of their channel's life") { driver in
                try await driver.settle()
                for step in [create, invite, join, message, destroy] {
                    try await driver.store(step.json, as: step.actor)
                }
                try await driver.store(command("CREATE_CHANNEL", "vault"), as: "bob")
                try await driver.store(create.json.replacing("vault", with: "other"))
                let page = try await driver.log.read(after: 0, limit: 100, maxBytes: 100_000)
                let audiences = page.entries.map(\.audience)
                let key = audiences[3]
                try expect(key > 0, "the first private channel has no audience")
                try expectEqual(audiences.dropLast(), [0, 0, 0, key, key, key, key, key, 0])
                try expect(audiences[9] > key, "another life has the same audience")
                try expect(
                    String(decoding: page.json(page.entries[3]), as: UTF8.self).contains(#""private":true"#), "private")
                try expect(
                    !String(decoding: page.json(page.entries[8]), as: UTF8.self).contains("private"), "public")
                if let recent = driver.log.recent(after: 9) {
                    try expectEqual(recent.entries.map(\.audience), [audiences[9]])
                }
            },
            EventLogConformance("rights to read are those of the tables at the head") { driver in
                try await driver.settle()
                func rights(_ user: String) async throws -> ReadRights { try await driver.log.readRights(of: user) }
                try expectEqual(try await rights("ann"), ReadRights(head: 3))
                try await driver.store(create.json)
                let key = try await rights("ann").member.first ?? 0
                try expectEqual(try await rights("bob"), ReadRights(head: 4))
                let steps: [(Step, ReadRights)] = [
                    (invite, ReadRights(head: 5, invited: [key])), (join, ReadRights(head: 6, member: [key])),
                    (leave, ReadRights(head: 7)), (invite, ReadRights(head: 8, invited: [key])),
                    (remove, ReadRights(head: 9)), (invite, ReadRights(head: 10, invited: [key])),
                    (join, ReadRights(head: 11, member: [key])), (remove, ReadRights(head: 12)),
                    (invite, ReadRights(head: 13, invited: [key])), (destroy, ReadRights(head: 14)),
                ]
                for (step, expected) in steps {
                    try await driver.store(step.json, as: step.actor)
                    try expectEqual(try await rights("bob"), expected, step.json)
                }
                try expectEqual(try await rights("ann"), ReadRights(head: 14))
                try expectEqual(try await rights("nobody"), ReadRights(head: 14))
            },
            EventLogConformance("the public channels of a user are given where they are asked for") { driver in
                try await driver.settle()
                try await driver.store(create.json)
                func channels(_ user: String, withPublic: Bool = true) async throws -> Set<String> {
                    let rights = try await driver.log.readRights(of: user, withPublic: withPublic)
                    return rights.publicChannels
                }
                func send(_ type: String, _ more: String = "", as user: String = "bob") async throws {
                    try await driver.store(#"{"type":"\#(type)","channelId":"open"\#(more)}"#, as: user)
                }
                // Beside those that the driver made.
                let (ann, bob) = (try await channels("ann"), try await channels("bob"))
                try await send("CREATE_CHANNEL", as: "ann")
                try expectEqual(try await channels("ann"), ann.union(["open"]))
                try expectEqual(try await channels("bob"), bob)
                try await send("JOIN_CHANNEL")
                try expectEqual(try await channels("bob"), bob.union(["open"]))
                try expectEqual(try await channels("bob", withPublic: false), [], "not asked for")
                try await send("LEAVE_CHANNEL")
                try expectEqual(try await channels("bob"), bob)
                try await send("JOIN_CHANNEL")
                try await send("REMOVE_USER", #","member":"bob""#, as: "ann")
                try expectEqual(try await channels("bob"), bob)
                try await send("JOIN_CHANNEL")
                try await send("DESTROY_CHANNEL", as: "ann")
                try expectEqual(try await channels("ann"), ann)
                try expectEqual(try await channels("bob"), bob)
            },
            EventLogConformance("who joins by the operator's right needs no invitation, and only that") { driver in
                try await driver.settle()
                try await driver.store(create.json)
                func send(_ json: String) async throws -> Result<Receipt, CommandError> {
                    try await driver.log.append([driver.submission(json, as: "bob", mayJoinPrivate: true)])[0]
                }
                try expectCode(try await send(destroy.json), .forbidden)
                try expectCode(try await send(remove.json), .forbidden)
                try expectCode(try await send(message.json), .notAMember)
                _ = try await send(join.json).get()
                try expectEqual(try await driver.log.channel("vault", for: "bob")?.isMember, true)
            },
            EventLogConformance("a message has at most 64 different reactions, of as many users as want") { driver in
                try await driver.settle()
                for step in [sent, bobIn] { try await driver.store(step.json, as: step.actor) }
                for i in 0..<64 { try await driver.store(react("ADD", ":r\(i):")) }
                try expectCode(try await driver.send(react("ADD", ":more:")), .tooManyReactions)
                try await driver.store(react("ADD", ":r7:"), as: "bob")
                try await driver.store(react("REMOVE", ":r7:"))
                try expectCode(try await driver.send(react("ADD", ":more:")), .tooManyReactions)
                try await driver.store(react("REMOVE", ":r7:"), as: "bob")
                try await driver.store(react("ADD", ":more:"))
            },
            EventLogConformance("a command is decided only in the life of the channel that it was checked for") {
                driver in
                try await driver.settle()
                let key = try await driver.log.channel("general", for: "ann")?.channel.key ?? 0
                for (checked, code) in [(key, nil), (0, .channelNotFound), (key + 1, .channelNotFound)]
                    as [(Int64, CommandError.Code?)]
                {
                    var submission = try driver.submission(command("SET_TOPIC", "general", #","topic":"t""#))
                    submission.checkedChannel = checked
                    let outcome = try await driver.log.append([submission])[0]
                    if let code { try expectCode(outcome, code) } else { _ = try outcome.get() }
                }
            },
        ]
}
