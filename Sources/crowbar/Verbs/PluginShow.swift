import ArgumentParser
import JSONBytes
import NIOHTTP1

extension Plugins {
    /// `crowbar plugins show NAME`.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a plugin: how it is, its queues, its manifest. --json has all that is known.",
            discussion: "NAME/QUEUE shows that queue first, and no other queue.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/QUEUE.") var name: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let client = ControlClient(folder: try settings.load().data)
            let names = try QueueName(name)
            let query = names.queue.map { "?queue=" + Listing.escape(part: $0) } ?? ""
            let answer = try await client.request(
                .GET, "/api/admin/plugins/\(Listing.escape(part: names.plugin))\(query)")
            if let refusal = answer.refusal { throw Refusal(refusal.message) }
            if json { return StandardStream.output.write(answer.body) }
            guard let plugin = try? JSON(parsing: answer.body) else {
                throw Refusal("the server's answer is not JSON")
            }
            for line in PluginPage(plugin, queue: names.queue).lines { StandardStream.output.write(line: line) }
        }
    }

    /// `crowbar plugins logs NAME`.
    struct Logs: AsyncParsableCommand {
        /// Milliseconds between two questions when following.
        private static let interval = 250
        /// Lines that the server gives at most.
        private static let most = 1_000

        static let configuration = CommandConfiguration(
            abstract: "Print the last lines of a plugin, as far as the server still has them.",
            discussion: "NAME/QUEUE prints those that name the queue.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/QUEUE.") var name: String
        @Flag(name: .shortAndLong, help: "Go on with the lines that come.") var follow = false
        @Option(name: [.customShort("n"), .long], help: "So many lines (at most 1,000).") var lines = 100
        @Flag(help: "Print JSON, one object a line.") var json = false

        func validate() throws {
            guard (0...Self.most).contains(lines) else {
                throw ValidationError("-n takes a number from 0 to \(Self.most)")
            }
        }

        func run() async throws {
            let client = ControlClient(folder: try settings.load().data)
            var last = try await print(client, "lines=\(lines)") ?? 0
            if lines == 0, follow { last = try await newest(client) }
            while follow {
                try await Task.sleep(for: .milliseconds(Self.interval))
                last = try await print(client, "lines=\(Self.most)&after=\(last)") ?? last
            }
        }

        private func fetch(_ client: ControlClient, _ query: String) async throws -> [JSON] {
            let names = try QueueName(name)
            let queue = names.queue.map { "&queue=" + Listing.escape(part: $0) } ?? ""
            let answer = try await client.request(
                .GET, "/api/admin/plugins/\(Listing.escape(part: names.plugin))/logs?\(query)\(queue)")
            if let refusal = answer.refusal { throw Refusal(refusal.message) }
            return (try? JSON(parsing: answer.body))?.array ?? []
        }

        private func newest(_ client: ControlClient) async throws -> Int64 {
            try await fetch(client, "lines=1").last?["number"]?.int ?? 0
        }

        /// The number of the last line printed.
        private func print(_ client: ControlClient, _ query: String) async throws -> Int64? {
            let lines = try await fetch(client, query)
            for line in lines {
                if json {
                    StandardStream.output.write(line.bytes + [0x0A])
                } else {
                    let time = Self.time(line["time"]?.int ?? 0)
                    StandardStream.output.write(
                        line: "\(time) \(line["level"]?.string ?? "") \(line["source"]?.string ?? ""): "
                            + TerminalText.line(line["text"]?.string ?? ""))
                }
            }
            return lines.last?["number"]?.int
        }

        /// `2026-11-01T00:00:00.000Z` of Unix milliseconds.
        static func time(_ milliseconds: Int64) -> String { DisplayTime.text(milliseconds) }
    }
}
