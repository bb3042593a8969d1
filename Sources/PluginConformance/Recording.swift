import JSONBytes
import PluginHost
import PluginWire

/// A conversation as lines of JSON, `{"t":…,"dir":…,"line":…}`: `t` in milliseconds, `dir` is `in` for what goes to
/// the plugin and `out` for what comes from it.
public struct Recording: Sendable {
    /// Lines of a recording at most.
    public static let maxLines = 1_000_000

    /// Why a file is no recording.
    public struct Failure: Error, CustomStringConvertible {
        /// What is wrong, with the line.
        public var description: String
    }

    /// The lines with one process: the first one of the file.
    public private(set) var exchanges: [Exchange] = []

    /// Reads a recording.
    /// - Throws: ``Failure``.
    public init(reading bytes: [UInt8]) throws(Failure) {
        for (i, line) in bytes.split(separator: 0x0A).enumerated() {
            if i >= Self.maxLines { throw Failure(description: "it has over \(Self.maxLines) lines") }
            guard let object = try? JSONObject(parsing: line), let time = object.int("t"),
                let direction = object.string("dir").flatMap(LineTraces.Direction.init),
                let text = object.string("line")
            else { throw Failure(description: "line \(i + 1) is not {\"t\":…,\"dir\":\"in\" or \"out\",\"line\":…}") }
            let exchange = Exchange(number: i + 1, milliseconds: time, direction: direction, line: Array(text.utf8))
            if !exchanges.isEmpty, direction == .toPlugin, exchange.type == "hello" { break }
            exchanges.append(exchange)
        }
        if exchanges.first?.type != "hello" {
            throw Failure(description: "it does not begin with the 'hello' of a process")
        }
    }

    /// The line of an exchange, with its LF.
    public static func line(_ exchange: Exchange) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.member("t", exchange.milliseconds)
        json.member("dir", exchange.direction.rawValue)
        json.member("line", String(decoding: exchange.line, as: UTF8.self))
        json.endObject()
        return json.bytes + [0x0A]
    }
}

extension Exchange {
    /// The type of its message; nil where it is none.
    public var type: String? { (try? JSONObject(parsing: line))?.string("type") }
}

/// Plays the host's side of a recording against a program, and compares what the program says: a pure value.
public struct ReplayPlayer: Sendable {
    /// Where a program differs from the recording.
    public struct Difference: Sendable, Equatable {
        /// What was recorded; nil: nothing more.
        public var expected: Exchange?
        /// What the program wrote; nil: nothing.
        public var line: [UInt8]?

        /// Makes one.
        public init(expected: Exchange?, line: [UInt8]?) {
            self.expected = expected
            self.line = line
        }
    }

    private let exchanges: [Exchange]
    private let ignored: Set<String>
    private var at = 0
    /// Lines of the program's that were compared.
    public private(set) var compared = 0

    /// - Parameter ignored: Types of the plugin's messages that are not compared.
    public init(_ recording: Recording, ignoring ignored: Set<String>) {
        self.ignored = ignored
        exchanges = recording.exchanges.filter {
            $0.direction == .toPlugin || !ignored.contains($0.type ?? "")
        }
    }

    /// The host's lines up to the next one of the plugin's.
    public mutating func next() -> [[UInt8]] {
        var lines: [[UInt8]] = []
        while at < exchanges.count, exchanges[at].direction == .toPlugin {
            lines.append(exchanges[at].line)
            at += 1
        }
        return lines
    }

    /// What the program has to say next; nil: nothing more.
    public var expected: Exchange? { at < exchanges.count ? exchanges[at] : nil }

    /// Compares a line of the program's with the recording.
    public mutating func take(_ line: [UInt8]) -> Difference? {
        let json = Self.sorted(line)
        if case .object(let members)? = json,
            let type = members.first(where: { $0.key == "type" })?.value.string, ignored.contains(type)
        {
            return nil
        }
        guard let expected else { return Difference(expected: nil, line: line) }
        compared += 1
        at += 1
        let isSame = expected.line == line || json != nil && json == Self.sorted(expected.line)
        return isSame ? nil : Difference(expected: expected, line: line)
    }

    /// A line as JSON, in which the order of members does not count.
    private static func sorted(_ line: [UInt8]) -> JSON? { (try? JSON(parsing: line)).map(sorted) }

    private static func sorted(_ json: JSON) -> JSON {
        switch json {
        case .array(let elements): .array(elements.map(sorted))
        case .object(let members):
            .object(members.map { JSON.Member($0.key, sorted($0.value)) }.sorted { $0.key < $1.key })
        default: json
        }
    }
}
