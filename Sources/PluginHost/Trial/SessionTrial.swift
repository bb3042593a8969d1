import Glibc
import PluginWire

/// What a trial does to a session that no operator can do.
struct SessionTrial: Sendable {
    /// What becomes of a line of the plugin's.
    enum Fate: Sendable {
        /// The host handles it.
        case handled
        /// The process is killed before the host has read the line.
        case killedBefore
        /// The process is killed after this line; what it wrote behind it is lost.
        case killedAfter
    }

    /// Decides about each line of the plugin's, in order.
    var fate: @Sendable (_ line: [UInt8]) -> Fate = { _ in .handled }
    /// The host reads nothing of the plugin's.
    var isReadingStopped = false
    /// The process was killed; what it wrote is not read any more.
    var isCut = false
}

extension PluginSession {
    /// Whether the host handles a line of the plugin's.
    func admits(_ line: UnsafeRawBufferPointer) -> Bool {
        if trial?.isCut == true { return false }
        trace.read(line)
        switch trial?.fate(Array(line)) {
        case .killedBefore:
            killPlugin()
            return false
        case .killedAfter: killPlugin()
        case .handled, nil: break
        }
        return true
    }

    /// Kills the plugin's process as a crash would end it.
    func killPlugin() {
        trial?.isCut = true
        guard let process else { return }
        Glibc.kill(process.pluginPid, SIGKILL)
    }

    /// Stops reading the plugin's output, or reads on.
    func stopReading(_ isStopped: Bool, _ now: Int64) {
        trial?.isReadingStopped = isStopped
        if isStopped { isReadingPaused = true } else { resumeReading(now) }
    }
}
