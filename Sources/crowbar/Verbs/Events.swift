import ArgumentParser
import CrowbarCore
import CrowbarSQLite
import JSONBytes

/// `crowbar events …`.
struct Events: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The log's events, one JSON object a line.", subcommands: [Tail.self, Export.self])

    /// `crowbar events tail`.
    struct Tail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Follow the log from now, or from behind an event.")

        @OptionGroup var settings: ConfigurationOption
        @Option(help: "The last event that is not wanted again.") var after: String?
        @Option(help: "Only events of this channel; several by commas or given again.") var channel: [String] = []
        @Option(help: "Only events of this type, as MESSAGE_SENT; several by commas or given again.")
        var type: [String] = []

        func run() async throws {
            if let after { _ = try Events.id(after) }
            var parameters: [String] = []
            if !channel.isEmpty { parameters.append("channel=" + Events.names(channel)) }
            if !type.isEmpty { parameters.append("type=" + Events.names(try Events.known(type))) }
            let client = ControlClient(folder: try settings.load().data)
            let (id, data) = (Array("id: ".utf8), Array("data: ".utf8))
            await Self.noteMissing(channel, settings, client)
            var (last, next) = (after, after)
            while true {
                // Behind the last event that was printed.
                let query = ([last.map { "after=" + $0 }].compactMap { $0 } + parameters).joined(separator: "&")
                let start = last
                do {
                    try await client.lines("/api/events/stream" + (query.isEmpty ? "" : "?" + query)) {
                        if $0.starts(with: id) { next = String(decoding: $0.dropFirst(id.count), as: UTF8.self) }
                        if $0.starts(with: data) {
                            StandardStream.output.write(Events.event($0.dropFirst(data.count)) + [0x0A])
                            last = next
                        }
                    }
                } catch let refusal as Refusal {
                    // The server closes a stream that is read too slowly, and goes on with it from where it was.
                    guard last != start, await client.isServerRunning() else { throw refusal }
                    continue
                }
                throw Refusal("the server stopped" + (last.map { "; follow on with --after \($0)" } ?? ""))
            }
        }

        /// Says which channels are not there: their events are waited for in silence.
        private static func noteMissing(
            _ wanted: [String], _ settings: ConfigurationOption, _ client: ControlClient
        ) async {
            guard !wanted.isEmpty, await client.isServerRunning(),
                let listed = try? await AccountCaller(settings).pages(
                    "channels?", key: "channelId",
                    offline: { try await $0.channels($1, AccountsDatabase.Limit.page) })
            else { return }
            let known = listed.compactMap { $0["channelId"]?.string }
            for name in wanted.flatMap({ $0.split(separator: ",") }).map(String.init) where !known.contains(name) {
                let hint = NearestName.to(name, among: known).map { "; did you mean '\($0)'?" } ?? ""
                StandardStream.error.write(line: "note: there is no channel '\(TerminalText.line(name))' yet\(hint)")
            }
        }
    }

    /// `crowbar events export`.
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print all events, or those behind one; works without a running server too.")

        @OptionGroup var settings: ConfigurationOption
        @Option(help: "The last event that is not wanted again.") var after: String?

        func run() async throws {
            if let after { _ = try Events.id(after) }
            let configuration = try settings.load()
            let client = ControlClient(folder: configuration.data)
            if await client.isServerRunning() {
                try await exportFromServer(client)
            } else {
                try await exportFromFiles(configuration)
            }
        }

        private func exportFromServer(_ client: ControlClient) async throws {
            let page = 100_000
            var after = try after.map { try Events.id($0) }
            while true {
                var count = 0
                var last: ArraySlice<UInt8> = []
                try await client.lines("/api/events?limit=\(page)" + (after.map { "&after=" + $0 } ?? "")) { line in
                    last = Events.event(line)
                    StandardStream.output.write(last + [0x0A])
                    count += 1
                }
                guard count == page, let id = (try? JSONObject(parsing: last))?.string("eventId") else { return }
                after = id
            }
        }

        private func exportFromFiles(_ configuration: Configuration) async throws {
            let stores = try Stores(configuration, for: .reading)
            var at: Int64 = 0
            if let after {
                guard let position = try await stores.log.position(of: try Events.id(after)) else {
                    throw Refusal("the log has no event '\(after)'")
                }
                at = position
            }
            while true {
                let page = try await stores.log.read(after: at, limit: 1_000, maxBytes: 256 << 10)
                guard let last = page.entries.last else { return }
                for entry in page.entries { StandardStream.output.write(page.json(entry) + [0x0A]) }
                at = last.position
            }
        }
    }

    /// Names as one parameter, whose commas part them.
    private static func names(_ texts: [String]) -> String {
        texts.flatMap { $0.split(separator: ",") }.map { Listing.escape(part: String($0)) }.joined(separator: ",")
    }

    /// Types of events, each of which there is.
    private static func known(_ texts: [String]) throws -> [String] {
        let all = EventType.allCases.map(\.name)
        for name in texts.flatMap({ $0.split(separator: ",") }).map(String.init) where !all.contains(name) {
            let hint = NearestName.to(name, among: all).map { "; did you mean '\($0)'?" }
            throw WrongUsage(
                "there is no event type '\(name)'" + (hint ?? "; there are \(all.joined(separator: ", "))"))
        }
        return texts
    }

    /// An event's id that can stand in a path as it is.
    private static func id(_ text: String) throws -> String {
        guard Identifier.isEvent(text) else {
            throw WrongUsage("'\(text)' is no event's id: 1 to 128 of A-Z a-z 0-9 . _ : ~ -")
        }
        return text
    }

    /// The event within `{"position":N,"event":{…}}`.
    private static func event(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let key = Array(",\"event\":".utf8)
        guard let comma = line.firstIndex(of: 0x2C), line[comma...].starts(with: key) else { return line }
        return line[(comma + key.count)...].dropLast()
    }
}
