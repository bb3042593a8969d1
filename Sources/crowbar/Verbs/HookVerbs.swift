import ArgumentParser
import CrowbarCore
import CrowbarHTTP
import JSONBytes
import NIOHTTP1

/// `crowbar hooks …`.
struct Hooks: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Incoming hooks: secret paths that programs post to.",
        subcommands: [Add.self, List.self, Revoke.self])

    /// `crowbar hooks add NAME CHANNEL`, `crowbar hooks add NAME --kind cognito`.
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a hook and print its path, which is secret; works without a running server too.",
            discussion: """
                Post {"text":"…"} to a hook of the kind 'message'. Its messages are by the user incoming/NAME. A hook \
                of the kind 'cognito' accepts the PostConfirmation trigger of Amazon Cognito, and registers the user: \
                see docs/oidc.md.
                """)

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The hook's name: a-z 0-9 _ . - and at most 64 of them.") var name: String
        @Argument(help: "The channel that it speaks in; for the kind 'message' only.") var channel: String?
        @Option(help: "What it accepts: message or cognito.") var kind = IncomingHook.Kind.message

        func run() async throws {
            guard Identifier.isChannel(name) else {
                throw WrongUsage("a hook's name is 1 to 64 of a-z 0-9 _ . -, a letter or digit first, not '\(name)'")
            }
            switch (kind, channel) {
            case (.message, nil):
                throw WrongUsage("Missing expected argument '<channel>': a hook of the kind 'message' needs one")
            case (.message, let channel?) where !Identifier.isChannel(channel): throw Channel.wrongName(channel)
            case (.cognito, .some):
                throw WrongUsage("a hook of the kind 'cognito' has no channel; leave it out")
            default: break
            }
            let channel = channel ?? ""
            if kind == .cognito, try settings.load().openID == nil {
                throw Refusal("a hook of the kind 'cognito' needs [auth.oidc] in the configuration; add it first")
            }
            var json = JSONWriter()
            json.beginObject()
            json.member("name", name)
            if kind == .message { json.member("channel", channel) } else { json.member("kind", kind.rawValue) }
            json.endObject()
            let answer = try await AccountCaller(settings).call(.POST, "hooks", body: json.bytes) { stores in
                var token = ""
                try await stores.withIngest { token = try await stores.hookActions($0).add(name, kind, channel) }
                return JSON.object([.init("token", .string(token))]).bytes
            }
            let token = (try? JSONObject(parsing: answer))?.string("token")
            guard let token else { throw Refusal("the server gave no token") }
            StandardStream.output.write(line: "/hooks/\(token)")
        }
    }

    /// `crowbar hooks list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the hooks of a running server.")

        @OptionGroup var settings: ConfigurationOption
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await Listing(settings, "/api/admin/hooks", json: json).print(
                header: ["HOOK", "KIND", "CHANNEL", "CREATED"],
                rows: {
                    [
                        [
                            $0["name"], $0["kind"], $0["channelId"],
                            $0["created"]?.int.map { .string(Plugins.Logs.time($0)) },
                        ]
                    ]
                })
        }
    }

    /// `crowbar hooks revoke NAME`.
    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a hook; works without a running server too.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The hook's name.") var name: String

        func run() async throws {
            _ = try await AccountCaller(settings).call(.DELETE, "hooks/" + Listing.escape(part: name)) {
                try $0.revokeHook(name)
                return []
            }
        }
    }
}

extension IncomingHook.Kind: ExpressibleByArgument {}
