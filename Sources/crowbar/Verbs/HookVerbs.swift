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
            let configuration = try settings.load()
            let client = ControlClient(folder: configuration.data)
            var token: String?
            if await client.isServerRunning() {
                var json = JSONWriter()
                json.beginObject()
                json.member("name", name)
                json.member("channel", channel)
                json.endObject()
                let answer = try await client.request(.POST, "/api/admin/hooks", body: json.bytes)
                if let refusal = answer.refusal { throw Refusal(refusal.message) }
                token = (try? JSONObject(parsing: answer.body))?.string("token")
            } else {
                let stores = try Stores(configuration)
                try await stores.withIngest { token = try await stores.hookActions($0).add(name, channel) }
            }
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
            let configuration = try settings.load()
            let client = ControlClient(folder: configuration.data)
            guard await client.isServerRunning() else { return try Stores(configuration).revokeHook(name) }
            let answer = try await client.request(.DELETE, "/api/admin/hooks/" + Listing.escape(name))
            if let refusal = answer.refusal { throw Refusal(refusal.message) }
        }
    }
}
