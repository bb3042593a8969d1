import Foundation
import Testing

@testable import CrowbarHTTP
@testable import CrowbarViews

/// The limits of docs/api.md are those of the code.
@Suite struct LimitDocumentTests {
    private static let file =
        String(#filePath.dropLast("Tests/CrowbarHTTPTests/LimitDocumentTests.swift".count)) + "docs/api.md"

    /// The rows of the table below "Limits": what is limited, and the limit.
    private static func table() throws -> [String: String] {
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let section = try #require(text.split(separator: "\n## Limits\n").last?.split(separator: "\n## ").first)
        let rows = section.split(separator: "\n").filter { $0.hasPrefix("| ") }.map { line in
            line.dropFirst(2).split(separator: " | ").map(String.init)
        }
        return Dictionary(uniqueKeysWithValues: rows.filter { $0.count == 3 }.map { ($0[0], $0[1]) })
    }

    private static func number(_ number: some BinaryInteger) -> String {
        var (digits, out) = (Array("\(number)"), "")
        while digits.count > 3 {
            out = "," + String(digits.suffix(3)) + out
            digits.removeLast(3)
        }
        return String(digits) + out
    }

    private static func bytes(_ bytes: Int) -> String {
        bytes < 1 << 20 ? "\(bytes >> 10) KiB" : "\(bytes >> 20) MiB"
    }

    private static func seconds(_ milliseconds: Int64) -> String { "\(milliseconds / 1_000) s" }

    private static func rate(_ rate: CallRate) -> String { "\(rate.perSecond) a second, burst \(rate.burst)" }

    /// How a limit begins, by how its row begins.
    private static let limits: [(row: String, limit: String)] = {
        typealias Limit = APIConfiguration.Limit
        let (times, stream) = (ListenerRules.Times(), FollowerQueue.Limits())
        let words = [2: "two", 5: "five"]
        return [
            ("headers of a connection's first request", seconds(times.head)),
            ("a connection without a request", seconds(times.idle)),
            ("connections", number(Limit.connections) + ", fewer"),
            (
                "a body",
                "\(seconds(times.body)) in all; \(bytes(times.bodyRate))/s on average after "
                    + seconds(times.bodyGrace)
            ),
            ("lines of one body", number(Limit.commandLines)),
            ("bodies of one user or hook", bytes(Limit.bodiesOfCaller)),
            ("all bodies in flight", bytes(Limit.bodies)),
            ("new events that wait for one", "\(bytes(stream.pending)), and \(seconds(stream.write)) for one write"),
            ("event streams and calls of `/api/events` that read old events", number(Limit.catchUps)),
            ("event streams of one user", number(Limit.streamsOfUser)),
            ("event streams from one address", number(Limit.streamsOfAddress)),
            ("event streams", number(Limit.streams) + ", half of them"),
            ("commands of a signed-in user", rate(Limit.sessionCommands)),
            ("calls of `/views/…`", rate(Limit.sessionViews)),
            ("reads of events and views from an address", rate(Limit.addressReads)),
            ("calls of `/api/events`, and starts", rate(Limit.sessionEvents)),
            ("events that one call of `/api/events` looks at", number(Limit.scan)),
            (
                "searches of one user",
                "\(words[Limit.searchesPerSecond] ?? "?") a second, \(words[Limit.searchesAtOnce] ?? "?") at once"
            ),
            ("searches that wait while \(words[SearchTurns.atOnce] ?? "?") others", number(SearchTurns.most)),
            ("answers of views over \(bytes(Limit.uncountedAnswer))", bytes(Limit.answersOfCaller)),
            ("all such answers", bytes(Limit.answers)),
            ("`POST /api/read` of one user", "\(Limit.marksPerSecond) a second, \(Limit.marksAtOnce) at once"),
            ("an answer that is not read", "\(seconds(times.write)) without \(bytes(times.readRate * 10))"),
        ]
    }()

    @Test func thePageHasTheLimitsOfTheCode() throws {
        let table = try Self.table()
        #expect(table.count > 20, "\(table)")
        for (row, limit) in Self.limits {
            // Of rows that begin alike the one with these words alone.
            let found = table[row] ?? table.first { $0.key.hasPrefix(row) }?.value
            #expect(found?.hasPrefix(limit) == true, "\(row): \(limit), and not \(found ?? "nothing")")
        }
        // With over a hundred streams, 10 ms apart at least.
        let stream = FollowerQueue.Limits()
        #expect(stream.crowd == 100 && stream.spacing == 10)
    }
}
