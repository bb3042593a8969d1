import CrowbarCore
import NIOCore
import NIOHTTPTypes

/// One event stream on its connection's event loop: a thin shell over ``FollowerQueue`` and ``EventSelection``. While
/// the stream reads pages itself it has no selection, and only read markers wait here.
final class StreamFollower {
    /// What the stream is given.
    struct Settings: Sendable {
        /// Whose read markers it gets; nil where none.
        var marksOf: String?
        /// Which channels' markers.
        var filter: EventFilter
        /// After how many milliseconds the token has to be looked up again.
        var recheck: Int64
        /// The numbers of its queue.
        var limits: FollowerQueue.Limits
        /// Has the token looked up.
        var wake: @Sendable () -> Void
        /// Reports that the connection is closed because the reader is too slow.
        var tooSlow: @Sendable () -> Void
    }

    private let settings: Settings
    private let channel: any Channel
    private let broadcaster: EventBroadcaster
    private let loop: StreamLoop
    private var queue: FollowerQueue
    private var selection: EventSelection?
    private var timer: Scheduled<Void>?
    private var isWaiting = false
    /// Its place in the loop's list.
    var index: Int?

    /// On the connection's event loop.
    init(_ settings: Settings, on channel: any Channel, _ broadcaster: EventBroadcaster) {
        (self.settings, self.channel, self.broadcaster) = (settings, channel, broadcaster)
        loop = broadcaster.loop(channel.eventLoop)
        queue = FollowerQueue(settings.limits, now: EventBroadcaster.now(), validUntil: 0)
        loop.add(self)
        if let user = settings.marksOf { broadcaster.addMarkReader(user) }
    }

    /// Whether it gets what is broadcast.
    var isFollowing: Bool { selection != nil }

    /// Joins the broadcast.
    /// - Parameters:
    ///   - hasRead: Whether the stream has read pages before.
    ///   - validUntil: See ``FollowerQueue/renew(until:)``.
    /// - Returns: False where it has to read on before.
    func join(_ selection: EventSelection, hasRead: Bool, validUntil: Int64) -> Bool {
        guard index != nil,
            let (batches, followers) = broadcaster.join(at: selection.position, isAtHead: selection.isAtHead)
        else { return false }
        self.selection = selection
        loop.joined(followers: followers)
        let now = EventBroadcaster.now()
        if hasRead { perform(queue.begin(), now) }
        renew(until: validUntil)
        for batch in batches { receive(batch, now: now) }
        return true
    }

    /// Notes until when the token is known to be good.
    func renew(until time: Int64) {
        guard index != nil else { return }
        queue.renew(until: time)
        schedule(before: time)
        if isFollowing { flush(EventBroadcaster.now()) }
    }

    func receive(_ batch: EventBatch, now: Int64) {
        guard let selection else { return }
        // A gap would be a fault of the broadcaster; its reader comes back behind the last event.
        guard selection.isNext(batch) else { return closeConnection() }
        self.selection?.select(batch) { queue.enqueue($0) }
        flush(now)
    }

    func receive(_ frame: ByteBuffer, about move: MovedMarker, now: Int64) {
        guard settings.marksOf == move.userId, settings.filter.accepts(channel: move.channelId) else { return }
        queue.enqueue(mark: frame, of: move.channelId)
        if isFollowing { flush(now) }
    }

    func waitIsOver(now: Int64) {
        isWaiting = false
        flush(now)
    }

    /// Ends the stream.
    /// - Parameter isFlushing: Whether what waits is still written.
    func leave(flushing isFlushing: Bool) {
        guard index != nil else { return }
        loop.remove(self)
        timer?.cancel()
        timer = nil
        if let user = settings.marksOf { broadcaster.removeMarkReader(user) }
        guard isFollowing else { return }
        selection = nil
        broadcaster.leave()
        let rest = isFlushing ? queue.finish(now: EventBroadcaster.now()) : []
        for part in rest { channel.write(HTTPResponsePart.body(part), promise: nil) }
        if !rest.isEmpty { channel.flush() }
    }

    func closeConnection() { channel.close(promise: nil) }

    // MARK: Writing

    private func flush(_ now: Int64) {
        if index != nil { perform(queue.next(now: now, followers: loop.followers), now) }
    }

    private func perform(_ step: FollowerQueue.Step, _ now: Int64) {
        switch step {
        case .nothing: break
        case .write(let parts): write(parts)
        case .wait(let time):
            if isWaiting { return }
            isWaiting = true
            loop.wait(self, until: time, now: now)
        case .close:
            settings.tooSlow()
            closeConnection()
        }
    }

    private func write(_ parts: [ByteBuffer]) {
        for part in parts.dropLast() { channel.write(HTTPResponsePart.body(part), promise: nil) }
        guard let last = parts.last else { return }
        let written = channel.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(self, eventLoop: channel.eventLoop)
        // One that fails closes the connection, which ends the stream.
        written.futureResult.whenSuccess {
            let now = EventBroadcaster.now()
            bound.value.queue.wrote(now: now)
            bound.value.flush(now)
        }
        channel.writeAndFlush(HTTPResponsePart.body(last), promise: written)
    }

    // MARK: Time

    private func schedule(before time: Int64) {
        timer?.cancel()
        let wait = max(1, min(settings.recheck, time - EventBroadcaster.now()))
        let bound = NIOLoopBound(self, eventLoop: channel.eventLoop)
        timer = channel.eventLoop.scheduleTask(in: .milliseconds(wait)) { bound.value.timerFired() }
    }

    private func timerFired() {
        guard index != nil else { return }
        let now = EventBroadcaster.now()
        perform(queue.check(now: now), now)
        settings.wake()
        schedule(before: .max)
    }
}
