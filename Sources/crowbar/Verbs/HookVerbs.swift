import ArgumentParser
import CrowbarCore
import CrowbarHTTP
import JSONBytes
import NIOHTTP1

/// `crowbar hooks …`.
struct Hooks: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Incoming hooks: paths that programs post messages to.",
        subcommands: [Add.self, List.self, Revoke.self])

    /// `crowbar hooks add NAME CHANNEL`.
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a hook and print its path, which is secret; works without a running server too.",
            discussion: "Post {\"text\":\"…\"} to it. Its messages are by the user incoming/NAME.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The hook's name: a-z 0-9 _ . - and at most 64 of them.") var name: String
        @Argument(help: "The channel that it speaks in.") var channel: String

        func run() async throws {
            guard Identifier.isChannel(name) else {
                throw WrongUsage("a hook's name is 1 to 64 of a-z 0-9 _ . -, a letter or digit first, not '\(name)'")
            }
            guard Identifier.isChannel(channel) else { throw Channel.wrongName(channel) }
            var json = JSONWriter()
            json.beginObject()
            json.member("name", name)
            json.member("channel", channel)
            json.endObject()
            let answer = try await AccountCaller(settings).call(.POST, "hooks", body: json.bytes) { stores in
                var token = ""
                try await stores.withIngest { token = try await stores.hookActions($0).add(name, channel) }
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
                header: ["HOOK", "CHANNEL", "CREATED"],
                rows: {
                    [[$0["name"], $0["channelId"], $0["created"]?.int.map { .string(Plugins.Logs.time($0)) }]]
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
