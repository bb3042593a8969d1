import ArgumentParser
import CrowbarCore
import CrowbarHTTP
import JSONBytes
import NIOHTTP1

/// `crowbar user …`.
struct User: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Local accounts.", subcommands: [Add.self])

    /// `crowbar user add NAME`.
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Register a user; works without a running server too.",
            discussion: "The user's id is the name. 'crowbar token NAME' then makes a token for the API.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The user's name: A-Z a-z 0-9 . _ : ~ - and at most 128 of them.") var name: String
        @Flag(help: "The user may act for others and do what only creators and authors may.") var admin = false
        @Option(help: "Not supported by this version yet.") var passwordFile: String?

        func run() async throws {
            if passwordFile != nil {
                throw Refusal(
                    "--password-file is not supported by this version yet; leave it out and use 'crowbar token'")
            }
            guard Identifier.isEvent(name) else {
                throw Refusal("'\(name)' is no user's name: 1 to 128 of A-Z a-z 0-9 . _ : ~ -")
            }
            let configuration = try settings.load()
            let client = ControlClient(folder: configuration.data)
            if await client.isServerRunning() {
                var json = JSONWriter()
                json.beginObject()
                json.member("name", name)
                json.member("admin", admin)
                json.endObject()
                let answer = try await client.request(.POST, "/api/admin/users", body: json.bytes)
                if let refusal = answer.refusal { throw Refusal(refusal.message) }
            } else {
                let stores = try Stores(configuration)
                try await stores.withIngest { try await stores.accountActions($0).addUser(name, admin) }
            }
        }
    }
}

/// `crowbar token USER`.
struct Token: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a token for the API and print it; works without a running server too.")

    @OptionGroup var settings: ConfigurationOption
    @Argument(help: "The user.") var user: String
    @Option(
        name: .customLong("scope"), parsing: .upToNextOption,
        help: "What it allows: commands, read, admin (default: all that the user may).")
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
        let configuration = try settings.load()
        let names = try parsedScopes()
        let lifetime = expires.flatMap(Lifetime.seconds)
        let client = ControlClient(folder: configuration.data)
        guard await client.isServerRunning() else {
            let stores = try Stores(configuration)
            let scopes = names.map { names in
                Principal.Scopes(Principal.Scopes.names.filter { names.contains($0.name) }.map(\.scope))
            }
            return StandardStream.output.write(line: try await stores.makeToken(user, scopes, lifetime))
        }
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
        let answer = try await client.request(.POST, "/api/admin/tokens", body: json.bytes)
        if let refusal = answer.refusal { throw Refusal(refusal.message) }
        guard let token = (try? JSONObject(parsing: answer.body))?.string("token") else {
            throw Refusal("the server gave no token")
        }
        StandardStream.output.write(line: token)
    }
}

/// A time as people write it.
enum Lifetime {
    /// The seconds of `30d`, `12h`, `45m` or `90s`, up to a hundred years; nil for anything else.
    static func seconds(_ text: String) -> Int64? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let number = Int64(text.dropLast()), number > 0,
            number <= AdminActions.lifetimes.upperBound / unit
        else { return nil }
        return number * unit
    }
}
