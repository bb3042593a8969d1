import CrowbarCore
import CrowbarHTTP
import JSONBytes
import Testing

@testable import crowbar

/// Replays that are started through the API, without their processes.
@Suite struct ReplayBoardTests {
    typealias Request = ConsoleActions.ReplayRequest

    @Test func argumentsAreJoinedToTheirOptions() throws {
        var board = ReplayBoard()
        let request = Request(
            plugin: "p", queue: "--help", from: "beginning", until: "id:7", rate: 2.5, channels: ["a", "b*"],
            restart: true)
        #expect(
            try board.start(request, id: "1", now: 5) == [
                "replay", "--report", "--yes", "--from=beginning", "--until=id:7", "--rate=2.5", "--channel=a",
                "--channel=b*", "--restart", "--", "p/--help",
            ])
    }

    @Test(arguments: [("now", nil), ("tomorrow", nil), ("beginning", "never"), ("--yes", nil), ("", nil)])
    func placesAreChecked(_ from: String, _ until: String?) {
        var board = ReplayBoard()
        #expect(throws: CommandError.self) {
            try board.start(Request(plugin: "p", from: from, until: until), id: "1", now: 0)
        }
        #expect(board.entries.isEmpty)
    }

    @Test func twoRunAndOneOfAPlugin() throws {
        var board = ReplayBoard()
        _ = try board.start(Request(plugin: "a", from: "beginning"), id: "1", now: 0)
        #expect(throws: CommandError.self) { try board.start(Request(plugin: "a", from: "beginning"), id: "2", now: 0) }
        _ = try board.start(Request(plugin: "b", from: "beginning"), id: "3", now: 0)
        #expect(throws: CommandError.self) { try board.start(Request(plugin: "c", from: "beginning"), id: "4", now: 0) }
        board.end("1", status: 0, now: 1)
        _ = try board.start(Request(plugin: "c", from: "beginning"), id: "5", now: 2)
    }

    @Test func itShowsHowFarAReplayIsAndHowItEnded() throws {
        var board = ReplayBoard()
        _ = try board.start(Request(plugin: "a", from: "beginning"), id: "1", now: 3)
        var report = ReplayReport()
        (report.matching, report.isCounted, report.done, report.deadLetters) = (8, true, 2, 1)
        board.note("1", line: Array(report.line.dropLast()))
        var json = try JSON(parsing: board.json(of: "1"))
        #expect(json["state"]?.string == "running" && json["progress"]?.double == 0.25)
        #expect(json["matched"]?.int == 8 && json["done"]?.int == 2 && json["deadLetters"]?.int == 1)
        board.note("1", line: Array("crowbar: the plugin ended".utf8))
        board.end("1", status: 1, now: 9)
        json = try JSON(parsing: board.json(of: "1"))
        #expect(json["state"]?.string == "failed" && json["reason"]?.string == "the plugin ended")
        #expect(json["started"]?.int == 3 && json["ended"]?.int == 9)
        _ = try board.start(Request(plugin: "a", from: "beginning"), id: "2", now: 10)
        #expect(try board.cancel("2"))
        board.end("2", status: 1, now: 11)
        #expect(try JSON(parsing: board.json(of: "2"))["state"]?.string == "cancelled")
        #expect(try board.cancel("2") == false)
        #expect(throws: CommandError.self) { try board.cancel("3") }
    }

    @Test func onlyTheLastOnesAreKept() throws {
        var board = ReplayBoard()
        for number in 1...50 {
            _ = try board.start(Request(plugin: "a", from: "beginning"), id: "\(number)", now: 0)
            board.end("\(number)", status: nil, now: 1)
        }
        #expect(board.entries.map(\.id) == (31...50).map(String.init))
        #expect(try JSON(parsing: board.json).array?.first?["id"]?.string == "50")
    }
}
