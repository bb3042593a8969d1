import ArgumentParser
import JSONBytes
import NIOHTTP1

/// Which dead letters a verb is about.
struct DeadLetterChoice: ParsableArguments {
    @Argument(help: "The plugin, or NAME/QUEUE.") var name: String
    @Argument(help: "The events' ids.") var eventIds: [String] = []
    @Flag(help: "All of them.") var all = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if eventIds.isEmpty != all {
            throw ValidationError("Say which: the ids of events (see 'dead-letters list'), or --all.")
        }
    }

    /// Asks the server.
    /// - Parameter deed: `show`, `retry` or `drop`.
    func ask(_ deed: String, _ settings: ConfigurationOption) async throws -> ControlClient.Answer {
        _ = try QueueName(name)
        let which =
            all
            ? JSON.Member("all", .bool(true)) : JSON.Member("eventIds", .array(eventIds.map { .string($0) }))
        let body = JSON.object([.init("do", .string(deed)), which])
        let client = ControlClient(folder: try settings.load().data)
        let answer = try await client.request(
            .POST, "/api/admin/dead-letters/" + Listing.escape(name), body: body.bytes)
        if let refusal = answer.refusal { throw Refusal(refusal.message) }
        return answer
    }

    /// Prints how many it were, or the answer itself.
    func print(_ answer: ControlClient.Answer, _ what: String) {
        if json { return StandardStream.output.write(answer.body) }
        let count = (try? JSON(parsing: answer.body))?["count"]?.int ?? 0
        StandardStream.output.write(line: "\(name): \(what): \(count)")
    }
}

extension DeadLetters {
    /// `crowbar dead-letters show NAME EVENTID…|--all`.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show dead letters with their events.")
        @OptionGroup var settings: ConfigurationOption
        @OptionGroup var choice: DeadLetterChoice

        func run() async throws {
            let answer = try await choice.ask("show", settings)
            if choice.json { return StandardStream.output.write(answer.body) }
            for letter in (try? JSON(parsing: answer.body))?.array ?? [] {
                func text(_ key: String) -> String { Table.cell(letter[key]) }
                let last = Table.cell(DisplayTime.json(letter["last"]))
                StandardStream.output.write(
                    line: "\(text("eventId")) at \(text("position")) in queue \(text("queue")): \(text("code")) after "
                        + "\(text("attempts")) attempts, last at \(last): \(text("message"))")
                if let event = letter["event"] { StandardStream.output.write(line: "  " + Table.cell(event)) }
            }
        }
    }

    /// `crowbar dead-letters retry NAME EVENTID…|--all`.
    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Deliver dead letters once more, outside the order; what fails stays a dead letter.")
        @OptionGroup var settings: ConfigurationOption
        @OptionGroup var choice: DeadLetterChoice

        func run() async throws { choice.print(try await choice.ask("retry", settings), "to be delivered once more") }
    }

    /// `crowbar dead-letters drop NAME EVENTID…|--all`.
    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove dead letters for good.")
        @OptionGroup var settings: ConfigurationOption
        @OptionGroup var choice: DeadLetterChoice

        func run() async throws { choice.print(try await choice.ask("drop", settings), "dropped") }
    }
}
