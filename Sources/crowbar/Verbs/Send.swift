import ArgumentParser
import CrowbarCore
import Glibc

/// `crowbar send CHANNEL TEXT`.
struct Send: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send a message to a channel; prints the event's id.",
        discussion: """
            Speaks as cli/LOGIN, who is registered and joined on first use, or as --as. The text '-' is read from \
            standard input: all of it is one message, or each line is one with --lines.
            """)

    /// The longest message, in bytes.
    private static let maxInput = Command.Limit.message

    @OptionGroup var settings: ConfigurationOption
    @Argument(help: "The channel's id.") var channel: String
    @Argument(help: "The message, or - for standard input.") var text: String
    @Option(name: .customLong("as"), help: "The user who speaks.") var user: String?
    @Flag(help: "With -: each line that is not empty is a message.") var lines = false
    @Option(help: "The event's id; sent again with the same id, a message is stored once.") var eventId: String?

    func validate() throws {
        if lines, text != "-" { throw ValidationError("--lines goes with '-', which reads standard input") }
        if lines, eventId != nil { throw ValidationError("--event-id names one message; leave --lines out") }
        if let eventId, !Identifier.isEvent(eventId) { throw ValidationError("'\(eventId)' is no event's id") }
    }

    func run() async throws {
        let caller = Caller(client: ControlClient(folder: try settings.load().data))
        guard text == "-" else { return try await send(text, caller) }
        var input = InputLines(limit: Self.maxInput)
        guard lines else {
            guard let all = try input.all() else { throw Refusal("standard input is empty; there is nothing to send") }
            return try await send(all, caller)
        }
        var count = 0
        while let line = try input.next() {
            if line.allSatisfy(\.isWhitespace) { continue }
            do { try await send(line, caller) } catch let refusal as Refusal {
                throw Refusal("message \(count + 1): \(refusal) (\(count) were sent)")
            }
            count += 1
        }
        if count == 0 { throw Refusal("standard input is empty; there is nothing to send") }
    }

    private func send(_ text: String, _ caller: Caller) async throws {
        let id = try await caller.sendJoined(
            .sendMessage, channel: channel, as: user, eventId: eventId ?? Caller.newEventId(),
            ["channelId": channel, "message": text])
        StandardStream.output.write(line: id)
    }
}

/// Standard input as text, whole or by lines, each up to a limit.
struct InputLines {
    /// The longest text, in bytes.
    let limit: Int
    private var rest: [UInt8] = []
    private var isAtEnd = false

    init(limit: Int) { self.limit = limit }

    /// All of it without the line break at its end, or nil where there is nothing but line breaks.
    mutating func all() throws -> String? {
        while !isAtEnd { try fill("standard input") }
        var bytes = rest[...]
        while let last = bytes.last, last == 0x0A || last == 0x0D { bytes = bytes.dropLast() }
        return bytes.isEmpty ? nil : try text(bytes, "standard input")
    }

    /// The next line without its line break, or nil at the end.
    mutating func next() throws -> String? {
        while true {
            if let end = rest.firstIndex(of: 0x0A) {
                defer { rest.removeFirst(end + 1) }
                return try text(rest[..<end].last == 0x0D ? rest[..<(end - 1)] : rest[..<end], "a line")
            }
            if isAtEnd {
                defer { rest = [] }
                return rest.isEmpty ? nil : try text(rest[...], "a line")
            }
            try fill("a line")
        }
    }

    private mutating func fill(_ what: String) throws {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = read(STDIN_FILENO, &chunk, chunk.count)
        if count < 0, errno == EINTR || errno == EAGAIN {
            var wait = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            poll(&wait, 1, -1)
            return
        }
        if count < 0 { throw Refusal("standard input cannot be read: \(String(cString: strerror(errno)))") }
        isAtEnd = count == 0
        rest.append(contentsOf: chunk[..<count])
        // What may follow is line breaks, few of them.
        if rest.firstIndex(of: 0x0A) == nil || what != "a line", rest.count > limit + 1_024 {
            throw Refusal(tooLong(what))
        }
    }

    private func tooLong(_ what: String) -> String {
        "\(what) is longer than \(limit) bytes, which no message may be; send it in parts"
    }

    private func text(_ bytes: ArraySlice<UInt8>, _ what: String) throws -> String {
        if bytes.count > limit { throw Refusal(tooLong(what)) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Refusal("standard input is not UTF-8; convert it first, as with iconv")
        }
        return text
    }
}
