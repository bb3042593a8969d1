import ArgumentParser
import CrowbarCore
import CrowbarHTTP
import JSONBytes
import NIOHTTP1

/// `crowbar token …`.
struct Token: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tokens for the API; 'crowbar token USER' makes one.",
        subcommands: [Create.self, List.self, Revoke.self], defaultSubcommand: Create.self)
}

extension Token {
    /// `crowbar token [create] USER`.
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token and print it; works without a running server too.",
            discussion: "The token is printed once and kept nowhere. A user named 'list' needs the word 'create'.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The user.") var user: String
        @Option(
            name: .customLong("scope"), parsing: .upToNextOption,
            help: "What it allows: commands, read, admin, metrics (default: all that the user may).")
        var scopes: [String] = []
        @Option(help: "How long it is good: 30d, 12h, 45m, 90s (default: until it is revoked).") var expires: String?

        func validate() throws {
            _ = try parsedScopes()
            if let expires, Lifetime.seconds(expires) == nil {
                throw ValidationError("'\(expires)' is no time: use a number and d, h, m or s, as 30d")
            }
        }

        private func parsedScopes() throws -> [String]? {
            let names = scopes.flatMap { $0.split(separator: ",").map(String.init) }
            for name in names where !Principal.Scopes.names.contains(where: { $0.name == name }) {
                let known = Principal.Scopes.names.map(\.name).joined(separator: ", ")
                throw ValidationError("there is no scope '\(name)'; there are \(known)")
            }
            return names.isEmpty ? nil : names
        }

        func run() async throws {
            let names = try parsedScopes()
            let lifetime = expires.flatMap(Lifetime.seconds)
            var json = JSONWriter()
            json.beginObject()
            json.member("user", user)
            if let names {
                json.key("scopes")
                json.beginArray()
                for name in names { json.string(name) }
                json.endArray()
            }
            if let lifetime { json.member("lifetime", lifetime) }
            json.endObject()
            let answer = try await AccountCaller(settings).call(.POST, "tokens", body: json.bytes) { stores in
                let scopes = names.map { names in
                    Principal.Scopes(Principal.Scopes.names.filter { names.contains($0.name) }.map(\.scope))
                }
                let token = try await stores.makeToken(user, scopes, lifetime)
                return JSON.object([.init("token", .string(token))]).bytes
            }
            guard let token = (try? JSONObject(parsing: answer))?.string("token") else {
                throw Refusal("the server gave no token")
            }
            StandardStream.output.write(line: token)
        }
    }

    /// `crowbar token list [USER]`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List tokens, oldest first, never their secrets; works without a running server too.",
            discussion: "The scope 'admin' works only while the user is an admin.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "Whose; everybody's if left out.") var user: String?
        @Flag(help: "List revoked ones too.") var revoked = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            var path = "tokens?revoked=\(revoked)"
            if let user { path += "&user=" + Listing.escape(user) }
            let tokens = try await AccountCaller(settings).pages(path, key: "id") { [user, revoked] stores, after in
                try await stores.accountAdministration().listTokens(
                    .init(user: user, after: after, includesRevoked: revoked))
            }
            AccountTable.print(
                tokens, json: json, header: ["ID", "USER", "SCOPES", "STATE", "CREATED", "EXPIRES", "LAST USED"],
                row: { token in
                    [
                        AccountTable.cell(token["id"]), AccountTable.cell(token["userId"]),
                        (token["scopes"]?.array ?? []).compactMap(\.string).joined(separator: ","),
                        AccountTable.cell(token["state"]), AccountTable.time(token["created"]),
                        AccountTable.time(token["expires"]), AccountTable.time(token["lastUsed"]),
                    ]
                })
        }
    }

    /// `crowbar token revoke ID`.
    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a token for good; works without a running server too.",
            discussion: "A running server, and streams that the token holds open, follow within 6 seconds.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The token's id, or at least 4 of its first digits: see 'crowbar token list'.") var id: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let answer = try await AccountCaller(settings).call(.DELETE, "tokens/" + Listing.escape(part: id)) {
                try await $0.accountAdministration().revokeToken(id)
            }
            let token = (try? JSON(parsing: answer)) ?? .object([])
            if json { return StandardStream.output.write(token.bytes + [0x0A]) }
            StandardStream.output.write(
                line: "token \(AccountTable.cell(token["id"])) of \(AccountTable.cell(token["userId"])) is revoked")
        }
    }
}
