import CrowbarCore
import CrowbarTesting
import NIOCore
import Synchronization
import Testing

@testable import CrowbarHTTP

/// How readers join the broadcast, and take turns before: values.
@Suite struct BroadcastTests {
    private static func window(_ limits: BroadcastWindow<String>.Limits = .init()) -> BroadcastWindow<String> {
        var window = BroadcastWindow<String>(limits)
        #expect(window.join(at: 10, isAtHead: false, now: 0) == nil, "it is not at the head")
        #expect(window.join(at: 10, isAtHead: true, now: 0) == [], "the broadcast begins with the first one")
        for (batch, after, through) in [("11", 10, 11), ("12-14", 11, 14), ("15", 14, 15)] as [(String, Int64, Int64)] {
            let isNext = window.append(batch, after: after, through: through, count: 100, now: 1)
            #expect(isNext)
        }
        return window
    }

    /// Where a reader is, and the batches that it gets first; nil where it has to read on.
    static let joins: [(position: Int64, batches: [String]?)] = [
        (9, nil), (10, ["11", "12-14", "15"]), (11, ["12-14", "15"]), (13, ["12-14", "15"]), (14, ["15"]), (15, []),
        (20, []),
    ]

    @Test(arguments: joins) func aReaderJoinsWithoutAGap(_ position: Int64, _ batches: [String]?) {
        var window = Self.window()
        #expect(window.join(at: position, isAtHead: false, now: 1) == batches)
        #expect(window.followers == (batches == nil ? 1 : 2))
    }

    @Test func littleIsKeptAndNotForLong() {
        var limits = BroadcastWindow<String>.Limits()
        (limits.bytes, limits.age) = (250, 1_000)
        var small = Self.window(limits)
        #expect(
            small.join(at: 10, isAtHead: false, now: 1) == nil
                && small.join(at: 11, isAtHead: false, now: 1) == ["12-14", "15"])
        var old = Self.window(limits)
        #expect(old.join(at: 14, isAtHead: false, now: 1_001) == ["15"])
        #expect(
            old.join(at: 14, isAtHead: false, now: 1_002) == nil && old.join(at: 15, isAtHead: false, now: 1_002) == [])
    }

    @Test func whenAllHaveGoneTheNextOneBeginsAnew() {
        var window = Self.window()
        #expect(window.join(at: 15, isAtHead: false, now: 1) == [])
        window.leave()
        #expect(window.position == 15)
        window.leave()
        #expect(window.position == nil)
        // A batch that was read for those who have gone is nobody's.
        let isNext = window.append("16", after: 15, through: 16, count: 1, now: 1)
        #expect(!isNext)
        #expect(window.join(at: 3, isAtHead: false, now: 1) == nil)
        #expect(window.join(at: 3, isAtHead: true, now: 1) == [] && window.position == 3)
    }

    /// Readers come at random places of a log that grows, some of its batches being on their way to the followers.
    @Test(arguments: 0..<50 as Range<UInt64>) func everyReaderGetsEachEventOnce(_ seed: UInt64) {
        struct Follower {
            var began: Int64
            var position: Int64
            var got: [Int64] = []
            mutating func take(_ range: ClosedRange<Int64>) {
                got += range.filter { $0 > position }
                position = max(position, range.upperBound)
            }
        }
        var random = SplitMix(state: seed)
        var limits = BroadcastWindow<ClosedRange<Int64>>.Limits()
        limits.bytes = 20
        var window = BroadcastWindow<ClosedRange<Int64>>(limits)
        var (head, reading, following, sent) = (Int64(0), [Follower](), [Follower](), [ClosedRange<Int64>]())
        for _ in 0..<400 {
            switch random.next() % 6 {
            case 0: head += Int64(random.next() % 7)
            case 1:
                let position = Int64(random.next() % UInt64(head + 1))
                reading.append(Follower(began: position, position: position))
            case 2:
                // The broadcaster reads the tail.
                guard let position = window.position, position < head else { continue }
                let end = min(head, position + 4)
                let isNext = window.append(
                    position + 1...end, after: position, through: end, count: Int(end - position), now: 0)
                #expect(isNext)
                sent.append(position + 1...end)
            case 3:
                // The followers' loop does its work in order.
                for batch in sent { for i in following.indices { following[i].take(batch) } }
                sent = []
            default:
                guard var reader = reading.popLast() else { continue }
                // It joins before what is on its way to the loop, or reads another page.
                if let batches = window.join(at: reader.position, isAtHead: reader.position == head, now: 0) {
                    for batch in batches { reader.take(batch) }
                    following.append(reader)
                } else {
                    let end = min(head, reader.position + 10)
                    if end > reader.position { reader.take(reader.position + 1...end) }
                    reading.append(reader)
                }
            }
        }
        while let position = window.position, position < head {
            let isNext = window.append(position + 1...head, after: position, through: head, count: 1, now: 0)
            #expect(isNext)
            sent.append(position + 1...head)
        }
        for batch in sent { for i in following.indices { following[i].take(batch) } }
        for follower in following {
            #expect(follower.got == (follower.began < head ? Array(follower.began + 1...head) : []))
        }
    }

    private struct SplitMix {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    /// Counts those who read at once.
    private final class Readers: Sendable {
        private let counts = Mutex((now: 0, most: 0))

        var most: Int { counts.withLock { $0.most } }

        func read() async {
            counts.withLock { counts in
                counts.now += 1
                counts.most = max(counts.most, counts.now)
            }
            await Task.yield()
            counts.withLock { $0.now -= 1 }
        }
    }

    @Test func fewReadAtOnce() async throws {
        let (turns, readers) = (CatchUpTurns(atOnce: 3), Readers())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { try await turns.run { await readers.read() } } }
            try await group.waitForAll()
        }
        #expect((1...3).contains(readers.most))
        #expect(turns.counts == (0, 0))
    }

    @Test func whoGoesAwayGivesTheTurnUp() async throws {
        let turns = CatchUpTurns(atOnce: 1)
        let (held, hold) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await turns.run {
                    for await _ in held { break }
                    return true
                }
            }
            try await waitUntil("the turn is taken") { turns.counts == (1, 0) }
            try await withThrowingTaskGroup(of: Bool.self) { others in
                others.addTask { try await turns.run { true } }
                try await waitUntil("another one waits") { turns.counts == (1, 1) }
                others.cancelAll()
                await #expect(throws: CancellationError.self) { try await others.next() }
            }
            group.addTask { try await turns.run { true } }
            try await waitUntil("a third one waits") { turns.counts == (1, 1) }
            hold.yield()
            for try await isDone in group { #expect(isDone) }
        }
        #expect(turns.counts == (0, 0))
    }

    /// What a stream of one's own begins with costs a look into each channel, so it waits for its turn.
    @Test func aStreamOfOnesOwnOpensInItsTurn() async throws {
        let clock = ManualClock()
        let driver = LogDriver(MemoryLog(now: { clock.milliseconds }), clock: clock)
        try await driver.settle()
        let turns = CatchUpTurns(atOnce: 1)
        let opening = OwnStreamOpening(log: ReadableLog(driver.log), rights: ReadAccess(driver.log), turns: turns)
        let (held, hold) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await turns.run { for await _ in held { break } } }
            try await waitUntil("the turn is taken") { turns.counts == (1, 0) }
            group.addTask {
                let (access, own) = try await opening.access(of: "ann")
                #expect(own.userId == "ann" && access.head == 3)
            }
            try await waitUntil("the stream waits") { turns.counts == (1, 1) }
            group.addTask {
                let access = try await ReadAccess(driver.log).access(for: .user("ann"))
                #expect(try await opening.lastReadable(for: access) != nil)
            }
            try await waitUntil("its last event too") { turns.counts == (1, 2) }
            hold.yield()
            try await group.waitForAll()
        }
        #expect(turns.counts == (0, 0))
    }

    /// A stream's selection gives the same events whether it reads pages or gets batches, wherever it changes over.
    @Test(arguments: 0...9 as ClosedRange<Int>) func pagesAndBatchesGiveTheSame(_ pages: Int) async throws {
        let clock = ManualClock()
        let driver = LogDriver(MemoryLog(now: { clock.milliseconds }), clock: clock)
        for user in ["ann", "bob"] {
            try await driver.store(#"{"type":"REGISTER_USER","userId":"\#(user)","name":"\#(user)"}"#, as: user)
        }
        let rights = ReadAccess(driver.log)
        let (access, own) = try await rights.ownAccess(of: "bob")
        let filter = try EventFilter(Query("type=USER_JOINED_CHANNEL,MESSAGE_SENT,USER_LEFT_CHANNEL"))
        for (actor, json) in [
            ("ann", #"{"type":"CREATE_CHANNEL","channelId":"open"}"#),
            ("ann", #"{"type":"SEND_MESSAGE","channelId":"open","message":"before","eventId":"a"}"#),
            ("bob", #"{"type":"JOIN_CHANNEL","channelId":"open","eventId":"b"}"#),
            ("ann", #"{"type":"SEND_MESSAGE","channelId":"open","message":"in","eventId":"c"}"#),
            ("ann", #"{"type":"SET_TOPIC","channelId":"open","topic":"t","eventId":"d"}"#),
            ("bob", #"{"type":"LEAVE_CHANNEL","channelId":"open","eventId":"e"}"#),
            ("ann", #"{"type":"SEND_MESSAGE","channelId":"open","message":"after","eventId":"f"}"#),
        ] { try await driver.store(json, as: actor) }
        let log = ReadableLog(driver.log)
        var selection = EventSelection(access, own: own, filter, after: 2)
        var text = ""
        // The log is read one entry at a time, as batches and as pages can end anywhere.
        for _ in 0..<pages {
            guard let page = try await selection.readOne(log) else { break }
            text += String(buffer: page)
        }
        var (position, start) = (max(0, selection.position - 1), 1_000)
        while let batch = try await EventBatch(after: position, of: log, start: start) {
            #expect(selection.isNext(batch))
            selection.select(batch) { text += String(buffer: $0.bytes(to: $0.end)) }
            (position, start) = (batch.page.through, start + batch.count)
        }
        let ids = text.split(separator: "\n").filter { $0.hasPrefix("id: ") }.map { $0.dropFirst(4) }
        #expect(ids == ["b", "c", "e"])
    }
}

extension EventSelection {
    /// Reads a page of one entry.
    fileprivate mutating func readOne(_ log: ReadableLog) async throws -> ByteBuffer? {
        try await read(log, CatchUpTurns(), limit: 1)
    }
}
