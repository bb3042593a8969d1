import JSONBytes
import Logging
import PluginWire
import Synchronization

/// What a plugin says in free text, and what the host says of it, on the way into the host's log: cut, rate-limited,
/// secrets masked.
final class PluginLog: Sendable {
    /// Bytes of a line that are kept.
    static let maxLine = 8 << 10
    /// Bytes that are kept of the last line, for the reason of a failure.
    static let maxLast = 1 << 10
    /// Lines a second, with what the host has to say of the plugin's doing.
    static let rate = 200.0

    private let logger: Logger
    /// The last lines, for `crowbar plugins logs`.
    private let lines: LogRing?
    private let secrets: Mutex<SecretMask>
    private let now: @Sendable () -> Int64
    private let bucket = Mutex((TokenBucket(rate: PluginLog.rate, burst: PluginLog.rate), 0))
    private let last = Mutex("")

    init(logger: Logger, secrets: [String], now: @escaping @Sendable () -> Int64, lines: LogRing? = nil) {
        self.logger = logger
        self.lines = lines
        self.secrets = Mutex(SecretMask(secrets))
        self.now = now
    }

    /// Masks further secrets beside those known: a plugin may still speak of an old one.
    func learn(_ more: [String]) { secrets.withLock { $0.learn(more) } }

    /// The last line that was not sent as a `log` message, for the reason of a failure.
    var lastLine: String { last.withLock { $0 } }

    private var known: SecretMask { secrets.withLock { $0 } }

    /// Text with every secret replaced, cut at so many bytes.
    func mask(_ text: String, limit: Int = .max) -> String { known.mask(text, limit: limit) }

    /// A line of any length with every secret replaced.
    func mask(line: [UInt8]) -> [UInt8] {
        let known = known
        return known.isEmpty ? line : Array(line.withUnsafeBytes { known.mask($0, limit: .max) }.utf8)
    }

    /// JSON with every secret replaced.
    func mask(_ json: JSON) -> JSON { known.mask(json) }

    /// Logs a line of standard error, or a stray one of standard output.
    func line(_ bytes: UnsafeRawBufferPointer, stray: Bool) {
        let known = known
        // Also of one that is dropped: it may be what the plugin has to say of its own end.
        let last = Self.printable(known.mask(bytes, limit: Self.maxLast))
        self.last.withLock { $0 = last }
        guard isWithinRate() else { return }
        let source = stray ? "stdout" : "stderr"
        write(.info, source, known.mask(bytes, limit: Self.maxLine), ["from": .string(source)])
    }

    /// Logs a `log` message.
    func message(level: String, _ text: String, fields: JSON?) {
        guard isWithinRate() else { return }
        let level: Logger.Level =
            switch level {
            case "trace", "debug": .debug
            case "warning", "warn": .warning
            case "error", "critical", "fatal": .error
            default: .info
            }
        write(level, "log", mask(text, limit: Self.maxLine), fields.map { ["fields": Self.field(mask($0))] } ?? [:])
    }

    /// Logs what the host has to say of something that the plugin did, and may do as often as it likes: as sparingly as
    /// what it says itself.
    func remark(_ level: Logger.Level, _ text: String) {
        if isWithinRate() { note(level, text) }
    }

    /// Logs what the host itself has to say of this plugin.
    func note(_ level: Logger.Level, _ text: String) { write(level, "host", mask(text, limit: Self.maxLine)) }

    /// Whether another line may be logged now; what was dropped before it is told first.
    private func isWithinRate() -> Bool {
        let time = now()
        let (allowed, dropped) = bucket.withLock { state -> (Bool, Int) in
            guard state.0.take(now: time) else {
                state.1 += 1
                return (false, 0)
            }
            let dropped = state.1
            state.1 = 0
            return (true, dropped)
        }
        if dropped > 0 {
            note(.warning, "\(dropped) log lines of this plugin were dropped: over \(Int(Self.rate)) a second")
        }
        return allowed
    }

    /// The fields of a `log` message, which are masked already. What is too long is cut, and then it is a text.
    private static func field(_ json: JSON) -> Logger.MetadataValue {
        let bytes = json.bytes
        if bytes.count <= maxLine { return .stringConvertible(LoggedJSON(json)) }
        return .string(printable(String(decoding: bytes.prefix(maxLine), as: UTF8.self)))
    }

    /// Writes what is masked and cut already.
    private func write(
        _ level: Logger.Level, _ source: String, _ text: String, _ metadata: Logger.Metadata = [:]
    ) {
        let shown = Self.printable(text)
        logger.log(level: level, "\(shown)", metadata: metadata)
        lines?.keep(level.rawValue, source, shown)
    }

    /// A text as one line for any reader, without what moves a terminal's cursor or changes the order of what is shown.
    static func printable(_ text: String) -> String {
        func isControl(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.value {
            case 0x09: false
            case 0..<0x20, 0x7F..<0xA0, 0x61C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
            default: false
            }
        }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { shown.append(isControl(scalar) ? "\u{FFFD}" : scalar) }
        return String(shown)
    }
}

/// JSON as a field of a log line: a handler that writes JSON keeps its structure, any other one shows its text.
public struct LoggedJSON: Sendable, CustomStringConvertible {
    /// The value.
    public let json: JSON

    /// Makes a field.
    public init(_ json: JSON) { self.json = json }

    public var description: String { PluginLog.printable(String(decoding: json.bytes, as: UTF8.self)) }
}
