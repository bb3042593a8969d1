import JSONBytes
import Logging
import PluginWire
import Synchronization

/// What a plugin says in free text, on its way into the host's log: cut, rate-limited, secrets masked.
final class PluginLog: Sendable {
    /// Bytes of a line that are kept.
    static let maxLine = 8 << 10
    /// Lines a second.
    static let rate = 200.0

    private let logger: Logger
    /// The last lines, for whoever asks.
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

    /// JSON with every secret replaced.
    func mask(_ json: JSON) -> JSON { known.mask(json) }

    /// Logs a line of standard error, or a stray one of standard output.
    func line(_ bytes: UnsafeRawBufferPointer, stray: Bool) {
        let text = known.mask(bytes, limit: Self.maxLine)
        last.withLock { $0 = text }
        write(.info, text, ["from": stray ? "stdout" : "stderr"])
    }

    /// Logs a `log` message.
    func message(level: String, _ text: String, fields: JSON?) {
        let level: Logger.Level =
            switch level {
            case "trace", "debug": .debug
            case "warning", "warn": .warning
            case "error", "critical", "fatal": .error
            default: .info
            }
        let fields = fields.map { String(decoding: mask($0).bytes.prefix(Self.maxLine), as: UTF8.self) }
        write(level, mask(text, limit: Self.maxLine), fields.map { ["fields": .string($0)] } ?? [:])
    }

    /// Logs what the host itself has to say of this plugin.
    func note(_ level: Logger.Level, _ text: String) {
        let shown = mask(text)
        logger.log(level: level, "\(shown)")
        lines?.keep(level.rawValue, "host", shown)
    }

    /// Writes what is masked and cut already.
    private func write(_ level: Logger.Level, _ text: String, _ metadata: Logger.Metadata) {
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
        guard allowed else { return }
        if dropped > 0 {
            note(.warning, "\(dropped) log lines of this plugin were dropped: over \(Int(Self.rate)) a second")
        }
        let shown = String(text.unicodeScalars.map { $0.value < 0x20 && $0 != "\t" ? "\u{FFFD}" : Character($0) })
        logger.log(level: level, "\(shown)", metadata: metadata)
        let source = if case .string(let from)? = metadata["from"] { from } else { "log" }
        lines?.keep(level.rawValue, source, shown)
    }
}
