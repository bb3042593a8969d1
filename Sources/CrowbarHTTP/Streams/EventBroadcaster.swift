import CrowbarCore
import Logging
import NIOCore
import Synchronization

/// Reads the tail of the log once after each append and hands the rendered batch to the event loops, each of which has
/// the followers of its connections. It reads nothing while nobody follows.
final class EventBroadcaster: Sendable {
    private struct State {
        var window = BroadcastWindow<EventBatch>()
        /// The bytes that were broadcast.
        var bytes = 0
        /// By event loop; kept for good, since there are few.
        var loops: [ObjectIdentifier: NIOLoopBound<StreamLoop>] = [:]
        /// How many streams get read markers, by user.
        var markReaders: [String: Int] = [:]
    }

    private let log: ReadableLog
    private let logger: Logger
    private let state = Mutex(State())
    private let bell = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    init(log: ReadableLog, logger: Logger) {
        self.log = log
        self.logger = logger
    }

    /// The time that queues and windows count by, in milliseconds.
    static func now() -> Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000) }

    /// Broadcasts until the task is cancelled.
    func run() async {
        let ring = bell.continuation
        let token = log.growth.subscribe { [weak self] in
            // Who joins later looks at the log by itself.
            if let self, state.withLock({ $0.window.position }) != nil { ring.yield() }
        }
        defer { log.growth.cancel(token) }
        for await _ in bell.stream {
            do {
                while try await broadcast() {}
            } catch {
                // The followers come back behind their last event, and find out for themselves.
                logger.error("the log cannot be followed; event streams are closed", metadata: ["error": "\(error)"])
                for loop in loops() { loop.eventLoop.execute { loop.value.closeFollowers() } }
            }
        }
    }

    /// Broadcasts the next batch.
    /// - Returns: Whether there may be another one.
    private func broadcast() async throws -> Bool {
        let (position, start) = state.withLock { ($0.window.position, $0.bytes) }
        guard let position, let batch = try await EventBatch(after: position, of: log, start: start) else {
            return false
        }
        let followers = state.withLock { state -> Int? in
            let isNext = state.window.append(
                batch, after: position, through: batch.page.through, count: batch.count, now: Self.now())
            if isNext { state.bytes += batch.count }
            return isNext ? state.window.followers : nil
        }
        guard let followers else { return true }
        for loop in loops() {
            loop.eventLoop.execute { loop.value.receive(batch, followers: followers) }
        }
        return true
    }

    private func loops() -> [NIOLoopBound<StreamLoop>] { state.withLock { Array($0.loops.values) } }

    /// The streams of an event loop; to be called on it.
    func loop(_ eventLoop: any EventLoop) -> StreamLoop {
        let bound = state.withLock { state in
            if let known = state.loops[ObjectIdentifier(eventLoop)] { return known }
            let new = NIOLoopBound(StreamLoop(eventLoop), eventLoop: eventLoop)
            state.loops[ObjectIdentifier(eventLoop)] = new
            return new
        }
        return bound.value
    }

    /// Joins a reader; see ``BroadcastWindow/join(at:isAtHead:now:)``. What is broadcast afterwards reaches its event
    /// loop behind the work that joins it.
    /// - Returns: The batches to begin with, and how many follow.
    func join(at position: Int64, isAtHead: Bool) -> (batches: [EventBatch], followers: Int)? {
        let joined = state.withLock { state in
            state.window.join(at: position, isAtHead: isAtHead, now: Self.now()).map { ($0, state.window.followers) }
        }
        // Where it is the first one, or is ahead, the log may have more already.
        if joined != nil { bell.continuation.yield() }
        return joined
    }

    /// Notes that a follower has gone.
    func leave() { state.withLock { $0.window.leave() } }

    // MARK: Read markers

    /// Notes that a stream gets its user's read markers.
    func addMarkReader(_ user: String) { state.withLock { $0.markReaders[user, default: 0] += 1 } }

    /// Notes that such a stream has gone.
    func removeMarkReader(_ user: String) {
        state.withLock { state in
            let left = (state.markReaders[user] ?? 1) - 1
            state.markReaders[user] = left > 0 ? left : nil
        }
    }

    /// Whether a stream gets a user's read markers.
    func hasMarkReader(_ user: String) -> Bool { state.withLock { $0.markReaders[user] != nil } }

    /// Hands a frame about a read marker to the streams of its user.
    func send(_ frame: ByteBuffer, about move: MovedMarker) {
        for loop in loops() { loop.eventLoop.execute { loop.value.receive(frame, about: move) } }
    }
}
