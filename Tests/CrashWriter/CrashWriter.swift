import CrowbarCore
import CrowbarSQLite
import CrowbarTesting
import Glibc

/// Appends batches to a log and writes the id of each event that was acknowledged as a line to standard output, until
/// it is killed: `CrashWriter DATABASE RUN`, where RUN makes the ids of this life different from those of others.
///
/// With a third argument, that many bytes are the longest file it may write (RLIMIT_FSIZE), which is a full disk as far
/// as SQLite can tell: it then writes `unavailable` at the first refusal, lifts the limit, appends once more, and
/// exits.
@main
struct CrashWriter {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 3 else { exit(64) }
        let clock = ManualClock()
        let log = try SQLiteLog(
            path: arguments[1], now: { clock.milliseconds }, random32: { Array(repeating: 7, count: 32) })
        let driver = LogDriver(log, clock: clock)
        if try await log.head() == nil { try await driver.settle() }
        let fileLimit = arguments.count > 3 ? UInt(arguments[3]) : nil
        if let fileLimit { limitFiles(to: fileLimit) }
        var next = 0
        while true {
            let batch = try (0..<(1 + next % 7)).map { _ in
                next += 1
                return try driver.submission(command(next, run: arguments[2]))
            }
            clock.advance(by: 1)
            do {
                for case .success(let receipt) in try await log.append(batch) { say(receipt.eventId) }
            } catch LogError.unwritable where fileLimit != nil {
                say("unavailable")
                limitFiles(to: UInt.max)
                for case .success(let receipt) in try await log.append(batch) { say(receipt.eventId) }
                exit(0)
            }
        }
    }

    /// Mostly messages; now and then an edit, a join or a leave, some of which are refused.
    private static func command(_ n: Int, run: String) -> String {
        let id = #""eventId":"\#(run)-\#(n)""#
        let text = String(repeating: "crash \(n) ", count: n % 40)
        switch n % 10 {
        case 3:
            return
                #"{"type":"EDIT_MESSAGE","channelId":"general","messageId":"\#(run)-\#(n - 3)","message":"e",\#(id)}"#
        case 6: return #"{"type":"DELETE_MESSAGE","channelId":"general","messageId":"\#(run)-\#(n - 2)",\#(id)}"#
        case 9: return #"{"type":"SET_TOPIC","channelId":"general","topic":"\#(n)",\#(id)}"#
        default: return #"{"type":"SEND_MESSAGE","channelId":"general","message":"m\#(text)",\#(id)}"#
        }
    }

    private static func limitFiles(to bytes: UInt) {
        signal(SIGXFSZ, SIG_IGN)
        var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t.max)
        if setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) != 0 { exit(70) }
    }

    private static func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        if write(1, bytes, bytes.count) != bytes.count { exit(74) }
    }
}
