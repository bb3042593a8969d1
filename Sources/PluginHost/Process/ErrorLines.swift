import Logging
import PluginWire
import Synchronization

/// What comes on a plugin's standard error: lines for its log, whatever they say.
final class ErrorLines: Sendable {
    private let splitter = Mutex(LineSplitter(limit: PluginLog.maxLine))
    private let log: PluginLog

    init(log: PluginLog) { self.log = log }

    func feed(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in splitter.withLock { $0.feed(bytes, take) } }
    }

    /// What has no end of line is a line too.
    func finish() { splitter.withLock { $0.finish(take) } }

    private func take(_ piece: LineSplitter.Piece) {
        switch piece {
        case .line(let line): log.line(line, stray: false)
        case .tooLong(let count): log.remark(.warning, "a line of \(count) bytes on standard error was dropped")
        }
    }
}
