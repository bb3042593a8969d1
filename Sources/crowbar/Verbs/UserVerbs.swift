import ArgumentParser
import CrowbarHTTP
import CrowbarSQLite
import JSONBytes
import NIOHTTP1

extension User {
    /// `crowbar user list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the accounts; works without a running server too.",
            discussion: "TOKENS counts those that are valid; LAST SEEN is the last use of one.")

        @OptionGroup var settings: ConfigurationOption
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let users = try await AccountCaller(settings).pages("users?", key: "userId") { stores, after in
                try await stores.accountAdministration().listUsers(.init(after: after))
            }
            AccountTable.print(
                users, json: json, header: ["USER", "ROLE", "STATE", "TOKENS", "CREATED", "LAST SEEN"],
                row: {
                    [
                        AccountTable.cell($0["userId"]), AccountTable.cell($0["role"]), User.state($0),
                        AccountTable.cell($0["tokens"]), AccountTable.time($0["created"]),
                        AccountTable.time($0["lastSeen"]),
                    ]
                })
        }
    }

    /// `crowbar user show USER`.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show an account; works without a running server too.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The user.") var user: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let answer = try await AccountCaller(settings).call(.GET, "users/" + Listing.escape(part: user)) {
                try await $0.accountAdministration().showUser(user)
            }
            User.print(answer, json: json)
        }
    }

    /// `crowbar user role USER admin|member`.
    struct Role: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a user an admin, or a member again; works without a running server too.",
            discussion: "The last enabled admin stays one. A running server follows within 6 seconds.")

        enum Name: String, ExpressibleByArgument, CaseIterable { case admin, member }

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The user.") var user: String
        @Argument(help: "The role: admin or member.") var role: Name
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            User.print(try await User.change(user, isAdmin: role == .admin, settings), json: json)
        }
    }

    /// `crowbar user disable USER`.
    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Disable an account: none of its tokens works; works without a running server too.",
            discussion: "The last enabled admin stays enabled. A running server follows within 6 seconds.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The user.") var user: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            User.print(try await User.change(user, isDisabled: true, settings), json: json)
        }
    }

    /// `crowbar user enable USER`.
    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Enable an account again, with the tokens it had; works without a running server too.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The user.") var user: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            User.print(try await User.change(user, isDisabled: false, settings), json: json)
        }
    }

    private static func change(
        _ user: String, isAdmin: Bool? = nil, isDisabled: Bool? = nil, _ settings: ConfigurationOption
    ) async throws -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        if let isAdmin { json.member("role", isAdmin ? "admin" : "member") }
        if let isDisabled { json.member("disabled", isDisabled) }
        json.endObject()
        return try await AccountCaller(settings).call(
            .PATCH, "users/" + Listing.escape(part: user), body: json.bytes
        ) { try await $0.accountAdministration().changeUser(user, isAdmin, isDisabled) }
    }

    private static func state(_ user: JSON) -> String {
        if user["erased"]?.bool == true { return "erased" }
        return user["disabled"]?.bool == true ? "disabled" : "enabled"
    }

    /// Prints an account as one line of JSON, or as lines for people.
    private static func print(_ answer: [UInt8], json: Bool) {
        let user = (try? JSON(parsing: answer)) ?? .object([])
        if json { return StandardStream.output.write(user.bytes + [0x0A]) }
        let lines = [
            ("user", AccountTable.cell(user["userId"])), ("role", AccountTable.cell(user["role"])),
            ("state", state(user)), ("valid tokens", AccountTable.cell(user["tokens"])),
            ("created", AccountTable.time(user["created"])), ("last seen", AccountTable.time(user["lastSeen"])),
        ]
        for (name, value) in lines {
            let padding = String(repeating: " ", count: 14 - name.count)
            StandardStream.output.write(line: "\(name)\(padding)\(value)")
        }
    }
}
