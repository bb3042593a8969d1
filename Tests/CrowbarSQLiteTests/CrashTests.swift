import CrowbarCore
import CrowbarTesting
import Foundation
import JSONBytes
import Testing

@testable import CrowbarSQLite

@Suite struct CrashTests {
    /// Starts the writer beside the test bundle and gives back what it says.
    private static func start(_ arguments: [String]) throws -> (Process, FileHandle) {
        let process = Process()
        let products = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        process.executableURL = products.appendingPathComponent("CrashWriter")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        try pipe.fileHandleForWriting.close()
        return (process, pipe.fileHandleForReading)
    }

    @Test func everyAcknowledgedEventIsThereOnceAfterKills() async throws {
        let folder = try TemporaryFolder()
        var acknowledged: [String] = []
        for run in 0..<30 {
            let (process, output) = try Self.start([folder.file("log.db"), "r\(run)"])
            // Killed after so many bytes of acknowledgements, somewhere in the batch that is under way then.
            var said = Data()
            let enough = 1 + run * run * 4
            while said.count < enough {
                let more = output.availableData
                if more.isEmpty { break }
                said += more
            }
            kill(process.processIdentifier, SIGKILL)
            said += output.readDataToEndOfFile()
            process.waitUntilExit()
            #expect(process.terminationReason == .uncaughtSignal, "the writer ended by itself")
            // The last line may be cut by the kill; a cut line acknowledges nothing.
            let lines = String(decoding: said, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            let new = lines.dropLast().map(String.init)
            acknowledged += new
            try await Self.verify(folder.file("log.db"), new)
        }
        try await Self.verify(folder.file("log.db"), acknowledged)
        #expect(acknowledged.count >= 30)
        #expect(Set(acknowledged).count == acknowledged.count)
    }

    @Test func aFullDiskRefusesLosesNothingAndRecovers() async throws {
        let folder = try TemporaryFolder()
        // The WAL meets the limit first.
        let (process, output) = try Self.start([folder.file("log.db"), "full", "300000"])
        let said = output.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let lines = String(decoding: said, as: UTF8.self).split(separator: "\n").map(String.init)
        let full = try #require(lines.firstIndex(of: "unavailable"), "the limit was never met")
        #expect(full > 10, "refused before there was anything to lose")
        #expect(lines.count > full + 1, "nothing was stored after room was made")
        try await Self.verify(folder.file("log.db"), lines.filter { $0 != "unavailable" })
    }

    /// Opens the log and holds it to what was acknowledged, every event to its columns and the tables to the events.
    static func verify(_ path: String, _ acknowledged: [String]) async throws {
        let log = try SQLiteLog(path: path, now: { 0 }, random32: { [] })
        for id in acknowledged where try await log.position(of: id) == nil {
            Issue.record("acknowledged and lost: \(id)")
        }
        var folded = FoldedState()
        var ids: Set<String> = []
        var after: Int64 = 0
        var lastTime: Int64 = 0
        while true {
            let page = try await log.read(after: after, limit: 1000, maxBytes: 1 << 20)
            guard let last = page.entries.last else { break }
            for entry in page.entries {
                let event = try JSONObject(parsing: page.json(entry))
                let id = try #require(event.string("eventId"))
                if !ids.insert(id).inserted { Issue.record("\(id) is there twice") }
                if event.string("type") != entry.type.name || event.int("timestamp") != entry.timestamp
                    || entry.timestamp < lastTime || entry.position != after + 1
                {
                    Issue.record("the columns at \(entry.position) do not fit their event or the one before")
                }
                lastTime = entry.timestamp
                after = entry.position
                folded.apply(event, entry)
            }
            after = last.position
        }
        #expect(try await FoldedState(tablesOf: log) == folded, "the tables differ from the events")
    }
}
