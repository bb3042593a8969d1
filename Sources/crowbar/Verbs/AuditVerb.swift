import ArgumentParser
import CrowbarCore
import CrowbarHTTP
import CrowbarSQLite
import JSONBytes
import NIOHTTP1

/// `crowbar audit`.
struct AuditVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Show what admins did, the newest line first; works without a running server too.",
        discussion: """
            It has the administrative changes of admins' sessions, and of this command line where a server was \
            running; every call with 'all=true'; roles by the provider's groups; and sign-ins over the limit. Commands \
            of the chat are events and not in it.
            """)

    @OptionGroup var settings: ConfigurationOption
    @Option(name: [.customShort("n"), .long], help: "How many lines: 1 to 1000.") var limit = 100
    @Option(help: "Show lines before the one with this id.") var before: Int64?
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard (1...1_000).contains(limit) else {
            throw ValidationError("--limit must be a number from 1 to 1000, not \(limit)")
        }
        if let before, before < 0 { throw ValidationError("--before must be the id of a line, not \(before)") }
    }

    func run() async throws {
        let path = "audit?limit=\(limit)" + (before.map { "&before=\($0)" } ?? "")
        let answer = try await AccountCaller(settings).call(.GET, path) { stores in
            AuditLine.json(try await stores.accounts.lines(before: before, limit: limit))
        }
        guard let lines = (try? JSON(parsing: answer))?.array else {
            throw Refusal("the server's answer is not a list")
        }
        AccountTable.print(
            lines, json: json, header: ["ID", "TIME", "WHO", "FROM", "ACTION", "ON", "RESULT", "REQUEST"],
            row: { line in
                [AccountTable.cell(line["id"]), AccountTable.time(line["at"])]
                    + ["userId", "address", "action", "target", "result", "requestId"].map {
                        line[$0]?.string.map { TerminalText.line($0) } ?? "-"
                    }
            })
    }
}
