import ArgumentParser
import CrowbarCore
import CrowbarSQLite
import Dispatch
import Glibc
import JSONBytes
import Synchronization

/// `crowbar backup FOLDER`.
struct BackupVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the data folder, also while the server runs; the copy can be used as a data folder.")

    @OptionGroup var settings: ConfigurationOption
    @Argument(help: "A folder that is new or empty.") var folder: String
    @Flag(help: "Print the outcome as JSON.") var json = false

    func run() async throws {
        umask(0o077)
        let data = try settings.load().data
        // A limit on file sizes is a full disk like any other: an error, not the end in the middle of a copy.
        signal(SIGXFSZ, SIG_IGN)
        let interruption = Interruption()
        let sources = interruption.sources()
        defer { sources.forEach { $0.cancel() } }
        let isTerminal = isatty(STDERR_FILENO) == 1
        var last = ""
        let summary: Backup.Summary
        do {
            summary = try Backup(from: data, to: folder).run { progress in
                if interruption.hasCome { throw Backup.Failure.interrupted }
                let percent = progress.done * 100 / max(1, progress.total)
                // A line a file where nobody watches, a line that changes where somebody does.
                guard isTerminal || progress.done == progress.total else { return }
                let text = "\(progress.file): \(percent) %"
                if text == last { return }
                last = text
                StandardStream.error.write(
                    raw: Array((isTerminal ? "\r\(text)\u{1B}[K" + (percent == 100 ? "\n" : "") : "\(text)\n").utf8))
            }
        } catch {
            var rescue: String?
            if case .database(let path, _, _) = error as? Backup.Failure, FolderPath.isInside(path, folder: data) {
                rescue = DataFolder.rescue(data)
            }
            throw Refusal("\(error)" + (rescue.map { "; " + $0 } ?? ""))
        }
        if json {
            var members: [JSON.Member] = [.init("folder", .string(folder)), .init("bytes", .int(summary.bytes))]
            if let head = summary.head {
                members.append(.init("eventId", .string(head.eventId)))
                members.append(.init("position", .int(head.position)))
            }
            return StandardStream.output.write(JSON.object(members).bytes + [0x0A])
        }
        let head = summary.head.map { "the log up to \($0.eventId) at position \($0.position)" } ?? "an empty log"
        StandardStream.output.write(line: "\(folder): \(summary.bytes >> 10) KiB, \(head)")
    }
}

/// Whether a signal asked a piece of work to clean up and end.
private final class Interruption: Sendable {
    private let isNoted = Atomic(false)

    var hasCome: Bool { isNoted.load(ordering: .relaxed) }

    /// Notes SIGINT and SIGTERM, as long as the sources live.
    func sources() -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { self.isNoted.store(true, ordering: .relaxed) }
            source.resume()
            return source
        }
    }
}
