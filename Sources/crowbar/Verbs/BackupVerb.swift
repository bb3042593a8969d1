import ArgumentParser
import CrowbarCore
import CrowbarSQLite
import Glibc
import JSONBytes

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
        let isTerminal = isatty(STDERR_FILENO) == 1
        var last = ""
        let summary: Backup.Summary
        do {
            summary = try Backup(from: data, to: folder).run { progress in
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
            throw Refusal("\(error)")
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
