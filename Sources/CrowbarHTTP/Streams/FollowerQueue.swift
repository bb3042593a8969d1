import NIOCore

/// What waits to be written to one follower, and when it is written: a value without I/O.
///
/// Everything that waits leaves in one write, and there is one write at a time. Times are milliseconds of a clock that
/// is never set.
struct FollowerQueue {
    /// The numbers.
    struct Limits: Sendable {
        /// Bytes that may wait.
        var pending = 1 << 20
        /// How far the oldest bytes that wait, or are being written, may be behind the newest ones of the broadcast, in
        /// bytes. A frame keeps all of its batch in memory.
        var span = 16 << 20
        /// For one write.
        var write: Int64 = 10_000
        /// Between two writes to a follower where there are more than ``crowd``.
        var spacing: Int64 = 10
        /// Followers from which on writes are spaced.
        var crowd = 100
        /// After this time without a write a comment is written.
        var silence: Int64 = 10_000
    }

    /// What is to be done.
    enum Step: Equatable {
        case nothing
        /// These bytes are to be written; ``FollowerQueue/wrote(now:)`` has to follow.
        case write([ByteBuffer])
        /// Ask again at that time.
        case wait(until: Int64)
        /// The follower is too slow.
        case close
    }

    private let limits: Limits
    private var frames: [EventBatch.Frame] = []
    /// Read markers, the newest one of each channel.
    private var marks: [(channel: String, bytes: ByteBuffer)] = []
    private var pending = 0
    private var newest = 0
    /// When the write began that goes on (nil where it has no limit), and where its first frame begins.
    private var inFlight: (since: Int64?, start: Int?)?
    private var lastWrite: Int64
    /// Until when the reader's token is known to be good; nothing is written from then on.
    private var validUntil: Int64
    private var isClosed = false

    /// - Parameter validUntil: See ``renew(until:)``.
    init(_ limits: Limits, now: Int64, validUntil: Int64) {
        (self.limits, lastWrite, self.validUntil) = (limits, now, validUntil)
    }

    /// Notes until when the reader may read without another look at the token.
    mutating func renew(until time: Int64) { validUntil = time }

    /// What is to be done when a stream that has read pages joins: it writes a comment, behind all that has still to
    /// leave of the pages. This write has no limit of its own, since it may have to wait for much.
    mutating func begin() -> Step {
        inFlight = (nil, nil)
        return .write([StreamFrame.alive])
    }

    /// Adds an event.
    mutating func enqueue(_ frame: EventBatch.Frame) {
        if isClosed { return }
        frames.append(frame)
        pending += frame.end - frame.start
        newest = frame.end
    }

    /// Adds a read marker, in place of one of the same channel that still waits.
    mutating func enqueue(mark bytes: ByteBuffer, of channel: String) {
        if isClosed { return }
        pending += bytes.readableBytes
        if let index = marks.firstIndex(where: { $0.channel == channel }) {
            pending -= marks[index].bytes.readableBytes
            marks.remove(at: index)
        }
        marks.append((channel, bytes))
    }

    /// What is to be done after something was added, a write ended, or a wait is over.
    /// - Parameter followers: Those who follow together with this one.
    mutating func next(now: Int64, followers: Int) -> Step {
        if isClosed { return .nothing }
        let oldest = inFlight?.start ?? frames.first?.start ?? newest
        if pending > limits.pending || newest - oldest > limits.span { return close() }
        guard inFlight == nil, pending > 0, now < validUntil else { return .nothing }
        if followers > limits.crowd, now < lastWrite + limits.spacing {
            return .wait(until: lastWrite + limits.spacing)
        }
        return .write(take(now))
    }

    /// What is to be done because time has passed.
    mutating func check(now: Int64) -> Step {
        if isClosed { return .nothing }
        if let inFlight { return now - (inFlight.since ?? now) >= limits.write ? close() : .nothing }
        guard now - lastWrite >= limits.silence else { return .nothing }
        inFlight = (now, nil)
        return .write([StreamFrame.alive])
    }

    /// Notes that the write has ended.
    mutating func wrote(now: Int64) {
        inFlight = nil
        lastWrite = now
    }

    /// Takes what waits, whether or not a write goes on: the last one of a stream that ends.
    mutating func finish(now: Int64) -> [ByteBuffer] {
        defer { isClosed = true }
        return isClosed || now >= validUntil ? [] : take(now)
    }

    private mutating func close() -> Step {
        (frames, marks, pending, isClosed) = ([], [], 0, true)
        return .close
    }

    private mutating func take(_ now: Int64) -> [ByteBuffer] {
        inFlight = (now, frames.first?.start)
        var parts: [ByteBuffer] = []
        // Frames that stand side by side in the shared buffer are one part.
        var index = 0
        while index < frames.count {
            let first = frames[index]
            var end = first.end
            index += 1
            while index < frames.count, frames[index].start == end, frames[index].batchStart == first.batchStart {
                end = frames[index].end
                index += 1
            }
            parts.append(first.bytes(to: end))
        }
        parts.append(contentsOf: marks.map(\.bytes))
        (frames, marks, pending) = ([], [], 0)
        return parts
    }
}
