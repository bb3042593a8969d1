import CrowbarCore
import CrowbarTesting
import JSONBytes
import Synchronization
import Testing

@testable import CrowbarViews

/// What a search may cost, and what it may tell.
struct SearchBoundsTests {
    private static func say(_ id: String, _ text: String, in channel: String) -> String {
        #"{"type":"SEND_MESSAGE","channelId":"\#(channel)","messageId":"\#(id)","eventId":"e-\#(id)","#
            + #""message":"\#(text)"}"#
    }

    /// A clock that goes on by itself: a budget is the number of times that it is looked at.
    private final class Ticks: Sendable {
        private let time = Mutex<Int64>(0)
        var now: Int64 {
            time.withLock { time in
                time += 1
                return time
            }
        }
    }

    private static func search(
        _ world: ViewWorld, _ user: String, _ words: String, budget: Int64, before: Int64 = .max, limit: Int = 1,
        window: Int64 = 100_000
    ) async throws -> (found: [String], more: SearchPlace?) {
        let ticks = Ticks()
        let answer = try await world.reader.search(
            SearchQuery(words), SearchFilter(before: before), limit: limit, for: world.access(user),
            budget: budget, window: window, clock: { ticks.now })
        let json = try JSONObject(parsing: answer.body)
        return (
            json.objects("hits")?.compactMap { $0.string("messageId") } ?? [],
            json.string("more").flatMap { SearchPlace($0) }
        )
    }

    /// Goes on until there is no more.
    private static func all(
        _ world: ViewWorld, _ user: String, _ words: String, budget: Int64, window: Int64 = 100_000
    ) async throws -> (found: [String], places: [Int64]) {
        var (found, places, before) = ([String](), [Int64](), Int64.max)
        while true {
            let page = try await search(world, user, words, budget: budget, before: before, window: window)
            found += page.found
            switch page.more {
            case nil: return (found, places)
            case .position(let position): before = position
            case .event(let id): before = try #require(try await world.driver.log.position(of: id))
            }
            // Each call comes further.
            try #require(places.last.map { $0 > before } ?? true)
            places.append(before)
        }
    }

    @Test func aSearchSaysMoreOnlyWhereItsReaderMayFindMore() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(#"{"type":"CREATE_CHANNEL","channelId":"den","private":true}"#)
            for number in 0..<3 { try await world.driver.store(Self.say("s\(number)", "word", in: "den")) }
            try await world.driver.store(Self.say("m", "word", in: "general"))
            for number in 3..<6 { try await world.driver.store(Self.say("s\(number)", "word", in: "den")) }
            try await world.settle()
            // Three hidden messages that match follow the one that bob may read.
            #expect(try await Self.search(world, "bob", "word", budget: 9_999).more == nil)
            #expect(try await Self.search(world, "ann", "word", budget: 9_999).more == .event("e-s5"))
        }
    }

    @Test(arguments: ["word", "wo", "word wo"]) func noPlaceIsThatOfAHiddenMessage(_ words: String) async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(#"{"type":"CREATE_CHANNEL","channelId":"den","private":true}"#)
            var readable: Set<Int64> = []
            for number in 0..<12 {
                try await world.driver.store(Self.say("s\(number)", "word", in: "den"))
                try await world.driver.store(Self.say("o\(number)", "other", in: "general"))
                readable.insert(try #require(try await world.driver.log.position(of: "e-o\(number)")))
            }
            try await world.driver.store(Self.say("s", "word", in: "den"))
            try await world.settle()
            for budget in Int64(-1)...12 {
                let bob = try await Self.all(world, "bob", words, budget: budget)
                #expect(bob.found.isEmpty)
                #expect(readable.isSuperset(of: bob.places), "\(budget)")
                let ann = try await Self.all(world, "ann", words, budget: budget)
                #expect(ann.found.count == 13, "\(budget)")
                // Where no index is asked, the places are the same whatever stands in messages of others.
                if words == "wo" {
                    let never = try await Self.all(world, "bob", "ne", budget: budget)
                    #expect(bob.places == never.places, "\(budget)")
                }
            }
        }
    }

    /// Each message that is looked at takes a tick, and so does the look at the clock before them.
    @Test func aSearchEndsAfterFortyMilliseconds() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            for number in 0..<60 { try await world.driver.store(Self.say("m\(number)", "text", in: "general")) }
            try await world.settle()
            let ticks = Ticks()
            let answer = try await world.reader.search(
                SearchQuery("zq"), SearchFilter(), limit: 1, for: world.access("ann"), clock: { ticks.now })
            let more = try JSONObject(parsing: answer.body).string("more").flatMap { SearchPlace($0) }
            // 20 of 60 are left.
            let next = try #require(try await world.driver.log.position(of: "e-m20"))
            #expect(more == .position(next), "\(answer.text)")
        }
    }

    @Test func withoutTheIndexFewPositionsAreLookedAt() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(#"{"type":"CREATE_CHANNEL","channelId":"den","private":true}"#)
            try await world.driver.store(Self.say("o", "word", in: "general"))
            for number in 0..<10 { try await world.driver.store(Self.say("s\(number)", "word", in: "den")) }
            try await world.driver.store(Self.say("p", "other", in: "general"))
            for number in 10..<13 { try await world.driver.store(Self.say("s\(number)", "word", in: "den")) }
            try await world.settle()
            let newest = try #require(try await world.driver.log.position(of: "e-p"))
            for budget in [Int64(-1), 5, 9_999] {
                let bob = try await Self.all(world, "bob", "wo", budget: budget, window: 4)
                #expect(bob.found == ["o"], "\(budget)")
                // Borders count from the newest message that bob may read.
                #expect(bob.places.contains(newest + 1 - 4), "\(budget): \(bob.places)")
                let ann = try await Self.all(world, "ann", "wo", budget: budget, window: 4)
                #expect(ann.found.count == 14, "\(budget)")
                #expect(try await Self.all(world, "bob", "ne", budget: budget, window: 4).found.isEmpty)
            }
        }
    }

    @Test func aPhraseThatNearlyMatchesMuchIsGivenUpInTime() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            let long = String(repeating: String(repeating: "c", count: 63) + "d", count: 128)
            let phrase = String(repeating: "c", count: 64)
            try await world.driver.store(Self.say("oldest", phrase, in: "general"))
            for number in 0..<20 { try await world.driver.store(Self.say("l\(number)", long, in: "general")) }
            try await world.settle()
            // The index alone would go through all of them before it answers; it is given up, and the newest message
            // is looked at.
            let first = try await Self.search(world, "ann", phrase, budget: 0)
            let newest = try #require(try await world.driver.log.position(of: "e-l19"))
            #expect(first.found.isEmpty && first.more == .position(newest))
            let all = try await Self.all(world, "ann", phrase, budget: 0)
            #expect(all.found == ["oldest"] && all.places.count == 20)
            #expect(try await Self.search(world, "ann", phrase, budget: .max / 2).found == ["oldest"])
            // The connection that was interrupted goes on to work.
            for _ in 0..<8 {
                #expect(try await world.reader.allMessages(limit: 1, for: world.access()).text.contains("general"))
            }
        }
    }

    @Test func searchesTakeTurns() async throws {
        let turns = SearchTurns()
        let gates = (0..<SearchTurns.atOnce).map { _ in AsyncStream.makeStream(of: Void.self) }
        let started = AsyncStream.makeStream(of: Void.self)
        let most = SearchTurns.atOnce + SearchTurns.most
        let outcomes = try await withThrowingTaskGroup(of: Bool.self) { group in
            for gate in gates.map(\.stream) {
                group.addTask {
                    try await turns.run {
                        started.continuation.yield()
                        for await _ in gate {}
                        return true
                    }
                }
            }
            var starts = started.stream.makeAsyncIterator()
            for _ in 0..<SearchTurns.atOnce { await starts.next() }
            for _ in 0..<SearchTurns.most { group.addTask { try await turns.run { true } } }
            while turns.counts.waiting < SearchTurns.most { await Task.yield() }
            #expect(turns.counts.running == SearchTurns.atOnce)
            await #expect(throws: ViewRefusal.searchesFull) { try await turns.run { true } }
            for gate in gates { gate.continuation.finish() }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(outcomes == most)
        #expect(turns.counts == (0, 0))
    }

    private static let matches: [(query: String, match: String?)] = [
        ("ab", nil), ("abc", "\"abc\""), ("abc abcd ab", "\"abcd\""), ("abc \"much longer\" x", "\"much longer\""),
        ("abc OR x*yz", "\"x*yz\""),
    ]

    @Test(arguments: matches.indices) func theIndexIsAskedForOneTerm(_ row: Int) {
        #expect(SearchQuery(Self.matches[row].query).match == Self.matches[row].match)
    }

    @Test func theOtherTermsAreLookedFor() {
        let rows: [(query: String, text: String, occur: Bool)] = [
            ("abcd ABC x", "abc X", true), ("abcd abc x", "abc", false), ("abcd xyz", "abcd", false),
            ("abcd", "", true),
        ]
        for row in rows { #expect(SearchQuery(row.query).otherTermsOccur(in: row.text) == row.occur, "\(row)") }
        #expect(SearchQuery("abcd x").termsOccur(in: "abcdx") && !SearchQuery("abcd x").termsOccur(in: "abcx"))
    }

    private static let patterns: [(wanted: String, text: String, at: Int?)] = [
        ("", "abc", 0), ("a", "", nil), ("abc", "abc", 0), ("abc", "ababc", 2), ("aab", "aaaab", 2),
        ("abab", "abacabab", 4), ("abcd", "abc", nil), ("aaa", "aabaaa", 3),
    ]

    @Test(arguments: patterns.indices) func aPatternIsFound(_ row: Int) {
        let (wanted, text, at) = Self.patterns[row]
        #expect(Pattern(Array(wanted.utf8)).first(in: Array(text.utf8)) == at)
    }

    @Test func aSnippetLooksInTheBeginningOfALongText() {
        let far = String(repeating: "x", count: 20 << 10) + "word"
        let beginning = SearchSnippet(of: far, terms: ["word"]).pieces
        #expect(beginning.map(\.text) == [String(repeating: "x", count: 160) + "…"])
        let edge = String(repeating: "x", count: (16 << 10) - 4) + "word" + String(repeating: "y", count: 200)
        let pieces = SearchSnippet(of: edge, terms: ["word"]).pieces
        #expect(pieces.map(\.isTerm) == [false, true, false])
        #expect(pieces.last?.text.hasSuffix("y…") == true)
    }

    @Test func whatIsKnownIsNotMadeAgain() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(Self.say("m", "word", in: "general"))
            try await world.settle()
            let access = try await world.access()
            let full = try await world.reader.allMessages(limit: 9, for: access)
            var knowing = world.reader
            knowing.isKnown = { $0 == full.version && $1 == full.changed }
            let all = try await knowing.allMessages(limit: 9, for: access)
            #expect(all.isKnown && all.body.isEmpty && all.changed == full.changed && all.resume == full.resume)
            let page = try await knowing.messages("general", .newest, limit: 9, for: access)
            #expect(page.isKnown && page.body.isEmpty)
            try await world.driver.store(Self.say("n", "word", in: "general"))
            try await world.settle()
            #expect(try await !knowing.allMessages(limit: 9, for: access).body.isEmpty)
            #expect(try await !knowing.messages("general", .newest, limit: 9, for: access).body.isEmpty)
        }
    }
}
