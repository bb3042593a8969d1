import ArgumentParser
import CrowbarCore
import CrowbarHTTP
import JSONBytes
import NIOHTTP1

/// `crowbar invite …`.
struct Invite: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Invites: links by which people register themselves.",
        discussion: """
            They work unless [auth] registration is "closed", and make members, never admins. To invite a user to a \
            private channel, send INVITE_USER.
            """,
        subcommands: [Create.self, List.self, Revoke.self])

    /// `crowbar invite create`.
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an invite and print its link; works without a running server too.",
            discussion: "The link is printed once and kept nowhere.")

        @OptionGroup var settings: ConfigurationOption
        @Option(help: "How many accounts it can make: 1 to 1000.") var uses: Int64 = 1
        @Option(help: "How long it works: 1h to 90d.") var expires = "7d"
        @Option(help: "A note that 'crowbar invite list' shows.") var note: String?
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard AccessActions.Invite.uses.contains(uses) else {
                throw ValidationError("--uses must be a number from 1 to 1000, not \(uses)")
            }
            guard let seconds = Lifetime.seconds(expires), AccessActions.Invite.lifetimes.contains(seconds) else {
                throw ValidationError("--expires must be a time from 1h to 90d, not '\(expires)'")
            }
            if let note, note.utf8.count > AccessActions.Invite.note {
                throw ValidationError("--note has at most \(AccessActions.Invite.note) bytes")
            }
        }

        func run() async throws {
            var body = JSONWriter()
            body.beginObject()
            body.member("uses", uses)
            body.member("expires", expires)
            body.member("note", ifPresent: note)
            body.endObject()
            let caller = try AccountCaller(settings)
            let answer = try await caller.call(.POST, "invites", body: body.bytes) { stores in
                try await caller.access(stores).makeInvite(
                    .init(
                        uses: uses, lifetime: Lifetime.seconds(expires) ?? AccessActions.Invite.usualLifetime,
                        note: note, creator: AuditLine.commandLine))
            }
            try LinkOutput.print(answer, json: json)
        }
    }

    /// `crowbar invite list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the invites that have not expired, never their links; works without a running server too.")

        @OptionGroup var settings: ConfigurationOption
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let caller = try AccountCaller(settings)
            let answer = try await caller.call(.GET, "invites") { try await caller.access($0).listInvites() }
            guard let invites = (try? JSON(parsing: answer))?.array else {
                throw Refusal("the server's answer is not a list")
            }
            AccountTable.print(
                invites, json: json, header: ["ID", "USED", "OF", "CREATED", "EXPIRES", "CREATOR", "NOTE"],
                row: { invite in
                    [
                        AccountTable.cell(invite["id"]), AccountTable.cell(invite["used"]),
                        AccountTable.cell(invite["uses"]), AccountTable.time(invite["created"]),
                        AccountTable.time(invite["expires"]), AccountTable.cell(invite["creator"]),
                        invite["note"]?.string.map { TerminalText.line($0) } ?? "-",
                    ]
                })
        }
    }

    /// `crowbar invite revoke ID`.
    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove an invite; works without a running server too.",
            discussion: "Accounts that it made stay.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The invite's id: see 'crowbar invite list'.") var id: String

        func run() async throws {
            let caller = try AccountCaller(settings)
            _ = try await caller.call(.DELETE, "invites/" + Listing.escape(part: id)) { stores in
                try await caller.access(stores).removeInvite(id)
                return []
            }
        }
    }
}

/// `crowbar setup-link`.
struct SetupLinkVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "setup-link",
        abstract: "Make a link by which the first admin is made, and print it; works without a running server too.",
        discussion: "It works once, for an hour, while there is no enabled admin. A new link voids the one before.")

    @OptionGroup var settings: ConfigurationOption
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let caller = try AccountCaller(settings)
        let answer = try await caller.call(.POST, "setup-link") { try await caller.access($0).setupLink() }
        try LinkOutput.print(answer, json: json)
    }
}

extension User {
    /// `crowbar user reset USER`.
    struct Reset: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a link by which a user chooses a new password, and print it; works without a running "
                + "server too.",
            discussion: "It works once, for 24 hours. A new link voids the one before. Using it ends all sessions.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The user.") var user: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let caller = try AccountCaller(settings)
            let answer = try await caller.call(.POST, "users/" + Listing.escape(part: user) + "/reset") {
                try await caller.access($0).resetLink(user)
            }
            try LinkOutput.print(answer, json: json)
        }
    }

    /// `crowbar user logout USER`.
    struct Logout: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End all sessions of a user; works without a running server too.",
            discussion: "The password and machine tokens stay. A running server follows within 6 seconds.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The user.") var user: String

        func run() async throws {
            let caller = try AccountCaller(settings)
            _ = try await caller.call(.POST, "users/" + Listing.escape(part: user) + "/logout") { stores in
                try await caller.access(stores).signOut(user)
                return []
            }
        }
    }

    /// `crowbar user erase USER`.
    struct EraseUser: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "erase", abstract: "The same as 'crowbar erase user'.",
            discussion: "Disables the user, and deletes and erases all the user's messages and names.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The user's id.") var user: String
        @Flag(help: "Do not ask.") var yes = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws { try await Erase.User.erase(user, asks: !yes, json: json, settings) }
    }
}

/// The link in an answer.
private enum LinkOutput {
    /// Prints the link, or the answer as one line of JSON.
    /// - Throws: ``Refusal`` where there is none.
    static func print(_ answer: [UInt8], json: Bool) throws {
        guard let object = try? JSON(parsing: answer), let link = object["link"]?.string else {
            throw Refusal("the server gave no link")
        }
        if json { return StandardStream.output.write(object.bytes + [0x0A]) }
        StandardStream.output.write(line: link)
    }
}
