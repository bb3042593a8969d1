import ArgumentParser
import JSONBytes
import NIOHTTP1

/// A plugin and perhaps one of its queues, as the command line names them: `NAME`, `NAME/QUEUE` or `NAME QUEUE`.
struct QueueName: Equatable {
    var plugin: String
    var queue: String?

    init(_ name: String, _ queue: String? = nil) throws {
        let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        plugin = parts.first ?? name
        self.queue = parts.count == 2 ? parts[1] : queue
        if parts.count == 2, queue != nil {
            throw WrongUsage("'\(TerminalText.line(name))' names a queue already; leave the second name out")
        }
        if plugin.isEmpty || self.queue?.isEmpty == true {
            throw WrongUsage("'\(name)' names no queue: NAME/QUEUE is the plugin's name, '/' and the queue's")
        }
    }

    /// What a call to the server about the plugin has as its body.
    var body: [UInt8] { queue.map { JSON.object([.init("queue", .string($0))]).bytes } ?? [] }
}

extension Plugins {
    /// `crowbar plugins test-send NAME/ENDPOINT`.
    struct TestSend: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "test-send",
            abstract: "Post a test event to a webhook's endpoint or an AWS target, and tell what it answers.",
            discussion: "The event (type WEBHOOK_TEST or AWS_TEST) is in no log and no queue, and is tried once.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/ENDPOINT.") var name: String
        @Argument(help: "The endpoint, where NAME does not say it.") var endpoint: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let names = try QueueName(name, endpoint)
            guard let endpoint = names.queue else {
                throw WrongUsage("'\(name)' names no endpoint: say to which one as \(name)/ENDPOINT")
            }
            let client = ControlClient(folder: try settings.load().data)
            let answer = try await client.request(
                .POST, "/api/admin/plugins/\(Listing.escape(part: names.plugin))/test-send",
                body: JSON.object([.init("endpoint", .string(endpoint))]).bytes)
            if let refusal = answer.refusal { throw Refusal(refusal.message) }
            guard let record = try? JSON(parsing: answer.body) else {
                throw Refusal("the server's answer is not JSON")
            }
            if json {
                StandardStream.output.write(answer.body)
            } else {
                let word = record["delivered"]?.bool == true ? "delivered" : "not delivered"
                let cells = [record["outcome"], record["reason"]].compactMap(\.self).map { Table.cell($0) }
                StandardStream.output.write(
                    line: "\(endpoint): \(word): \(cells.joined(separator: ": ")), \(record["ms"]?.int ?? 0) ms")
                if let text = record["answer"]?.string { StandardStream.output.write(line: TerminalText.line(text)) }
            }
            if record["delivered"]?.bool != true { throw ExitCode.failure }
        }
    }

    /// `crowbar plugins deliveries NAME` or `NAME/ENDPOINT`.
    struct Deliveries: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the last tries of webhooks or AWS targets, the newest first: ten each, since the start.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The plugin, or NAME/ENDPOINT.") var name: String
        @Argument(help: "One endpoint; all if left out and not in NAME.") var endpoint: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let names = try QueueName(name, endpoint)
            var path = "/api/admin/plugins/\(Listing.escape(part: names.plugin))/deliveries"
            if let endpoint = names.queue { path += "?endpoint=\(Listing.escape(part: endpoint))" }
            try await Listing(settings, path, json: json).print(
                columns: [
                    .init("TIME"), .init("ENDPOINT"), .init("EVENT"), .init("TRY"), .init("OUTCOME"), .init("MS"),
                    .init("ANSWER", limit: 80),
                ],
                rows: { record in
                    [
                        [
                            DisplayTime.json(record["at"]), record["endpoint"], record["eventId"], record["attempt"],
                            record["outcome"], record["ms"], record["reason"] ?? record["answer"],
                        ]
                    ]
                })
        }
    }
}
