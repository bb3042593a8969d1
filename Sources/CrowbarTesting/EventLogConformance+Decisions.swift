import CrowbarCore

extension EventLogConformance {
    /// One line of the table: after `before`, the command of `actor` gets `code`, or is stored where that is nil.
    struct Row: Sendable {
        var name: String
        var before: [(actor: String, json: String)]
        var actor: String
        var isAdmin = false
        var json: String
        var code: CommandError.Code?

        init(
            _ name: String, after before: [(actor: String, json: String)] = [], as actor: String = "ann",
            isAdmin: Bool = false, _ json: String, _ code: CommandError.Code? = nil
        ) {
            self.name = name
            self.before = before
            self.actor = actor
            self.isAdmin = isAdmin
            self.json = json
            self.code = code
        }
    }

    private static let message = #"{"type":"SEND_MESSAGE","channelId":"general","message":"one","messageId":"m"}"#
    private static let plain = #"{"type":"SEND_MESSAGE","channelId":"general","message":"one","eventId":"E"}"#
    private static let edit = #"{"type":"EDIT_MESSAGE","channelId":"general","messageId":"m","message":"two"}"#
    private static let delete = #"{"type":"DELETE_MESSAGE","channelId":"general","messageId":"m"}"#
    private static let join = #"{"type":"JOIN_CHANNEL","channelId":"general"}"#
    private static let leave = #"{"type":"LEAVE_CHANNEL","channelId":"general"}"#
    private static let destroy = #"{"type":"DESTROY_CHANNEL","channelId":"general"}"#
    private static let create = #"{"type":"CREATE_CHANNEL","channelId":"general"}"#
    private static let topic = #"{"type":"SET_TOPIC","channelId":"general","topic":"t"}"#
    private static let reply = #"{"type":"SEND_MESSAGE","channelId":"general","message":"re","replyTo":"m"}"#
    private static let sent = [(actor: "ann", json: message)]
    private static let bobIn = [(actor: "bob", json: join)]

    /// On a log with the users ann and bob, and the channel `general` created by ann.
    static let rows: [Row] = users + channels + messages + privateRows + reactionRows

    private static let users: [Row] = [
        Row("register", #"{"type":"REGISTER_USER","userId":"eve","name":"Eve"}"#),
        Row("register again", #"{"type":"REGISTER_USER","userId":"bob","name":"B"}"#, .userExists),
        Row("rename", #"{"type":"RENAME_USER","name":"Anna"}"#),
        Row("rename unknown", as: "eve", #"{"type":"RENAME_USER","name":"E"}"#, .userNotFound),
    ]

    private static let channels: [Row] = [
        Row("create", #"{"type":"CREATE_CHANNEL","channelId":"c","channelName":"C","channelDescription":"d"}"#),
        Row("create taken", as: "bob", create, .channelExists),
        Row("create unknown user", as: "eve", create, .userNotFound),
        Row("destroy by creator", destroy),
        Row("destroy by another", after: bobIn, as: "bob", destroy, .forbidden),
        Row("destroy by admin", as: "bob", isAdmin: true, destroy),
        Row("destroy unknown", #"{"type":"DESTROY_CHANNEL","channelId":"x"}"#, .channelNotFound),
        Row("destroy twice", after: [(actor: "ann", json: destroy)], destroy, .channelNotFound),
        Row("topic", topic),
        Row("topic by a stranger", as: "bob", topic, .notAMember),
        Row("topic unknown channel", #"{"type":"SET_TOPIC","channelId":"x","topic":"t"}"#, .channelNotFound),
        Row("join", as: "bob", join),
        Row("join twice", after: bobIn, as: "bob", join, .alreadyAMember),
        Row("the creator is in", join, .alreadyAMember),
        Row("join by nobody", as: "eve", join, .userNotFound),
        Row("nobody, unknown channel", as: "eve", #"{"type":"JOIN_CHANNEL","channelId":"x"}"#, .userNotFound),
        Row("join unknown channel", #"{"type":"JOIN_CHANNEL","channelId":"x"}"#, .channelNotFound),
        Row("leave", leave),
        Row("leave twice", after: [(actor: "ann", json: leave)], leave, .notAMember),
        Row("leave and come back", after: [(actor: "ann", json: leave)], join),
        Row("re-create", after: [(actor: "ann", json: destroy)], as: "bob", create),
        Row(
            "members do not come back with a channel",
            after: [(actor: "ann", json: destroy), (actor: "bob", json: create)],
            topic, .notAMember),
        Row(
            "the old creator is nobody in the new channel",
            after: [(actor: "ann", json: destroy), (actor: "bob", json: create)], destroy, .forbidden),
        Row(
            "messages do not come back with a channel",
            after: sent + [(actor: "ann", json: destroy), (actor: "ann", json: create)], edit, .messageNotFound),
        Row(
            "their ids are free in the new channel",
            after: sent + [(actor: "ann", json: destroy), (actor: "ann", json: create)], message),
    ]

    private static let messages: [Row] = [
        Row("send", message),
        Row("send by a stranger", as: "bob", message, .notAMember),
        Row("send after leaving", after: [(actor: "ann", json: leave)], message, .notAMember),
        Row("send to unknown", #"{"type":"SEND_MESSAGE","channelId":"x","message":"a"}"#, .channelNotFound),
        Row("message id taken", after: sent, message, .messageExists),
        Row(
            "message id of a deleted one", after: sent + [(actor: "ann", json: delete)], message, .messageExists),
        Row(
            "explicit id that is another's default", after: [(actor: "ann", json: plain)],
            #"{"type":"SEND_MESSAGE","channelId":"general","message":"a","messageId":"E"}"#, .messageExists),
        Row(
            "default id that is another's explicit one",
            after: [
                (actor: "ann", json: #"{"type":"SEND_MESSAGE","channelId":"general","message":"a","messageId":"E"}"#)
            ],
            plain, .messageExists),
        Row("reply", after: sent, reply),
        Row("reply to unknown", reply, .messageNotFound),
        Row("reply to deleted", after: sent + [(actor: "ann", json: delete)], reply, .messageNotFound),
        Row("edit", after: sent, edit),
        Row("edit unknown", edit, .messageNotFound),
        Row("edit by another", after: sent + bobIn, as: "bob", edit, .forbidden),
        Row("edit by an admin", after: sent + bobIn, as: "bob", isAdmin: true, edit, .forbidden),
        Row("edit by a stranger", after: sent, as: "bob", edit, .notAMember),
        Row("edit deleted", after: sent + [(actor: "ann", json: delete)], edit, .messageNotFound),
        Row("delete", after: sent, delete),
        Row("delete twice", after: sent + [(actor: "ann", json: delete)], delete, .messageNotFound),
        Row("delete by another", after: sent + bobIn, as: "bob", delete, .forbidden),
        Row("delete by an admin", after: sent, as: "bob", isAdmin: true, delete),
        Row("delete unknown", delete, .messageNotFound),
    ]

    static let decisions: [EventLogConformance] =
        rows.map { row in
            EventLogConformance("decides: \(row.name)") { driver in
                try await driver.settle()
                for step in row.before { try await driver.store(step.json, as: step.actor) }
                let head = try await driver.log.head()?.position ?? 0
                let outcome = try await driver.send(row.json, as: row.actor, isAdmin: row.isAdmin)
                if let code = row.code {
                    try expectCode(outcome, code)
                    try expectEqual(try await driver.log.head()?.position, head, "the head after a refusal")
                    // A refusal leaves nothing behind that would change the next answer.
                    try expectCode(try await driver.send(row.json, as: row.actor, isAdmin: row.isAdmin), code)
                } else {
                    try expect(try outcome.get().position > head, "not behind the head")
                }
            }
        } + [
            EventLogConformance("edit keeps the text before it, edit after edit, and the name of the moment") {
                driver in
                try await driver.settle()
                try await driver.store(message)
                let first = try await driver.store(edit)
                try await driver.store(#"{"type":"RENAME_USER","name":"Anna"}"#)
                let second = try await driver.store(
                    #"{"type":"EDIT_MESSAGE","channelId":"general","messageId":"m","message":"three"}"#)
                let (one, two) = (try await driver.event(first.position), try await driver.event(second.position))
                try expect(one.contains(#""userName":"Ann""#) && one.contains(#""previous":"one""#), one)
                try expect(two.contains(#""userName":"Anna""#) && two.contains(#""previous":"two""#), two)
            }
        ]
}
