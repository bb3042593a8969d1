import NIOCore
import Testing

@testable import CrowbarHTTP

/// What one follower is written, and when, as a value.
@Suite struct FollowerQueueTests {
    private static let limits: FollowerQueue.Limits = {
        var limits = FollowerQueue.Limits()
        (limits.pending, limits.span, limits.crowd) = (100, 1_000, 2)
        return limits
    }()

    /// Frames of 10 bytes each, all of one batch: `0000000000`, `1111111111`, and so on.
    private static func frames(_ count: Int, at start: Int = 0) -> [EventBatch.Frame] {
        let text = (0..<count).map { String(repeating: "\($0 % 10)", count: 10) }.joined()
        let buffer = ByteBuffer(string: text)
        return (0..<count).map {
            EventBatch.Frame(buffer, start: start + $0 * 10, end: start + $0 * 10 + 10, batchStart: start)
        }
    }

    private static func queue(_ limits: FollowerQueue.Limits = limits, validUntil: Int64 = .max) -> FollowerQueue {
        FollowerQueue(limits, now: 0, validUntil: validUntil)
    }

    private static func texts(_ step: FollowerQueue.Step) -> [String]? {
        if case .write(let parts) = step { return parts.map { String(buffer: $0) } }
        return nil
    }

    @Test func allThatWaitsIsOneWriteAndThereIsOneAtATime() {
        var queue = Self.queue()
        #expect(queue.next(now: 1, followers: 1) == .nothing)
        let frames = Self.frames(5)
        queue.enqueue(frames[0])
        #expect(Self.texts(queue.next(now: 1, followers: 1)) == ["0000000000"])
        for frame in frames[1...3] { queue.enqueue(frame) }
        #expect(queue.next(now: 2, followers: 1) == .nothing, "a write goes on")
        queue.wrote(now: 3)
        // Frames that stand side by side are one part of the shared buffer.
        #expect(Self.texts(queue.next(now: 3, followers: 1)) == ["111111111122222222223333333333"])
        queue.wrote(now: 4)
        #expect(queue.next(now: 4, followers: 1) == .nothing)
    }

    @Test func framesThatDoNotAdjoinArePartsOfTheirOwn() {
        var queue = Self.queue()
        let (first, second) = (Self.frames(4), Self.frames(2, at: 40))
        for frame in [first[0], first[1], first[3], second[0], second[1]] { queue.enqueue(frame) }
        #expect(
            Self.texts(queue.next(now: 1, followers: 1))
                == ["00000000001111111111", "3333333333", "00000000001111111111"])
    }

    @Test func manyFollowersAreWrittenToAtMostEveryTenMilliseconds() {
        for (followers, isSpaced) in [(1, false), (2, false), (3, true), (2_000, true)] {
            var queue = Self.queue()
            let frames = Self.frames(3)
            queue.enqueue(frames[0])
            #expect(Self.texts(queue.next(now: 10, followers: followers)) == ["0000000000"])
            queue.wrote(now: 10)
            queue.enqueue(frames[1])
            let step = queue.next(now: 19, followers: followers)
            #expect(isSpaced ? step == .wait(until: 20) : Self.texts(step) == ["1111111111"], "\(followers)")
            guard isSpaced else { continue }
            queue.enqueue(frames[2])
            #expect(Self.texts(queue.next(now: 20, followers: followers)) == ["11111111112222222222"])
        }
    }

    /// Bytes that wait while a write goes on, and whether the follower is too slow.
    @Test(arguments: [(10, false), (11, true)]) func soMuchMayWait(_ frames: Int, _ isClosed: Bool) {
        var queue = Self.queue()
        let all = Self.frames(12)
        queue.enqueue(all[0])
        #expect(Self.texts(queue.next(now: 1, followers: 1)) != nil)
        for frame in all[1...frames] { queue.enqueue(frame) }
        #expect(queue.next(now: 2, followers: 1) == (isClosed ? .close : .nothing))
        queue.wrote(now: 3)
        // Once only, and nothing is kept for it any more.
        let step = queue.next(now: 3, followers: 1)
        #expect(isClosed ? step == .nothing : Self.texts(step)?.joined().count == 100)
        #expect(queue.finish(now: 4).isEmpty)
    }

    @Test func aFollowerHoldsBackNoMoreThanTheLastPartOfTheBroadcast() {
        for (start, isClosed) in [(980, false), (1_000, true)] {
            var queue = Self.queue()
            queue.enqueue(Self.frames(1)[0])
            #expect(Self.texts(queue.next(now: 1, followers: 1)) != nil)
            // What comes between is not for this follower; the batch of its first frame is still in memory.
            queue.enqueue(Self.frames(1, at: start)[0])
            #expect(queue.next(now: 2, followers: 1) == (isClosed ? .close : .nothing), "\(start)")
        }
    }

    @Test func aWriteHasTenSecondsAndSilenceIsBroken() {
        var queue = Self.queue()
        queue.enqueue(Self.frames(1)[0])
        #expect(Self.texts(queue.next(now: 5, followers: 1)) != nil)
        #expect(queue.check(now: 10_004) == .nothing)
        var slow = queue
        #expect(slow.check(now: 10_005) == .close && slow.check(now: 10_006) == .nothing)
        queue.wrote(now: 10_004)
        #expect(queue.check(now: 20_003) == .nothing)
        #expect(Self.texts(queue.check(now: 20_004)) == [": alive\n\n"])
        #expect(queue.check(now: 20_004) == .nothing, "the comment is being written")
        #expect(queue.check(now: 30_004) == .close, "and has the same time")
    }

    @Test func whatAPageLeftToWriteHasNoLimitOfItsOwn() {
        var queue = Self.queue()
        #expect(Self.texts(queue.begin()) == [": alive\n\n"])
        queue.enqueue(Self.frames(1)[0])
        #expect(queue.next(now: 1, followers: 1) == .nothing && queue.check(now: 60_000) == .nothing)
        queue.wrote(now: 60_000)
        #expect(Self.texts(queue.next(now: 60_000, followers: 1)) == ["0000000000"])
    }

    @Test func nothingIsWrittenWhileTheTokenIsInDoubt() {
        var queue = Self.queue(validUntil: 100)
        let frames = Self.frames(2)
        queue.enqueue(frames[0])
        #expect(queue.next(now: 100, followers: 1) == .nothing)
        var ended = queue
        #expect(ended.finish(now: 100).isEmpty)
        queue.renew(until: 200)
        #expect(Self.texts(queue.next(now: 101, followers: 1)) == ["0000000000"])
    }

    @Test func theNewestMarkerOfAChannelIsWrittenBehindTheEvents() {
        var queue = Self.queue()
        for (channel, text) in [("a", "a1 "), ("b", "b1 "), ("a", "a2 ")] {
            queue.enqueue(mark: ByteBuffer(string: text), of: channel)
        }
        queue.enqueue(Self.frames(1)[0])
        #expect(Self.texts(queue.next(now: 1, followers: 1)) == ["0000000000", "b1 ", "a2 "])
        // One marker is marked again and again, and counts once.
        for _ in 0..<1_000 { queue.enqueue(mark: ByteBuffer(string: "a3 "), of: "a") }
        #expect(queue.next(now: 2, followers: 1) == .nothing)
    }

    @Test func theLastWriteOfAStreamTakesAll() {
        var queue = Self.queue()
        let frames = Self.frames(2)
        queue.enqueue(frames[0])
        #expect(Self.texts(queue.next(now: 1, followers: 1)) != nil)
        queue.enqueue(frames[1])
        #expect(queue.finish(now: 2).map { String(buffer: $0) } == ["1111111111"])
        queue.enqueue(frames[1])
        #expect(queue.finish(now: 3).isEmpty && queue.next(now: 3, followers: 1) == .nothing)
    }

    /// What 1,000 followers wait for is in memory once.
    @Test func followersShareTheirFrames() {
        let buffer = ByteBuffer(repeating: 0x78, count: 1 << 20)
        let frame = EventBatch.Frame(buffer, start: 0, end: 1 << 20, batchStart: 0)
        var addresses: Set<UnsafeRawPointer?> = []
        for _ in 0..<1_000 {
            var queue = FollowerQueue(FollowerQueue.Limits(), now: 0, validUntil: .max)
            queue.enqueue(frame)
            guard case .write(let parts) = queue.next(now: 1, followers: 1) else { continue }
            for part in parts { part.withUnsafeReadableBytes { _ = addresses.insert($0.baseAddress) } }
        }
        #expect(addresses.count == 1)
    }
}
