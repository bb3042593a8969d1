import ArgumentParser
import JSONBytes
import NIOHTTP1

extension User {
    /// `crowbar user link USER --sub SUB`.
    struct Link: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tie an account to a subject of the OpenID provider; works without a running server too.",
            discussion: """
                The subject is the claim 'sub' of the provider's tokens. From then on it signs in to this account. A \
                subject of another provider that the account was tied to is forgotten.
                """)

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The user.") var user: String
        @Option(help: "The subject: the claim 'sub'.") var sub: String

        func run() async throws {
            let configuration = try settings.load()
            var json = JSONWriter()
            json.beginObject()
            json.member("sub", sub)
            json.endObject()
            _ = try await AccountCaller(settings).call(
                .POST, "users/" + Listing.escape(part: user) + "/link", body: json.bytes
            ) { stores in
                try await stores.linkUser(user, to: sub, of: configuration.openID)
                return Array("{}".utf8)
            }
        }
    }
}
