import Logging
import PluginWire
import Synchronization

/// What comes on a plugin's standard error: lines for its log, and the launcher's own report among them.
final class ErrorLines: Sendable {
    private let splitter = Mutex(LineSplitter(limit: PluginLog.maxLine))
    private let mark: [UInt8]
    private let log: PluginLog
    private let failure: LaunchFailure

    /// - Parameter token: Marks the launcher's lines.
    init(log: PluginLog, token: String, failure: LaunchFailure) {
        mark = Array("crowbar-launch \(token): ".utf8)
        self.log = log
        self.failure = failure
    }

    func feed(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in splitter.withLock { $0.feed(bytes, take) } }
    }

    /// What has no end of line is a line too.
    func finish() { splitter.withLock { $0.finish(take) } }

    private func take(_ piece: LineSplitter.Piece) {
        switch piece {
        case .line(let line) where line.starts(with: mark):
            failure.note(String(decoding: line.dropFirst(mark.count), as: UTF8.self))
        case .line(let line): log.line(line, stray: false)
        case .tooLong(let count): log.remark(.warning, "a line of \(count) bytes on standard error was dropped")
        }
    }
}

/// The launcher's report of a program that could not be run.
final class LaunchFailure: Sendable {
    /// How the report begins of a plugin that ran and had to be killed for a limit.
    static let limitMark = "limit: "

    private let text = Mutex<String?>(nil)
    var reason: String? { text.withLock { $0 } }
    func note(_ reason: String) { text.withLock { $0 = reason } }
}
