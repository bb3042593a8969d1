import CrowbarCore
import NIOCore

/// The event streams of one event loop's connections; used on that loop only.
final class StreamLoop {
    let eventLoop: any EventLoop
    private var streams: [StreamFollower] = []
    /// How many follow on all loops, as of the last batch.
    private(set) var followers = 0
    /// Those whose write has to wait for its time, all under one timer.
    private var waiting: [StreamFollower] = []
    private var isTimerSet = false

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func add(_ stream: StreamFollower) {
        stream.index = streams.count
        streams.append(stream)
    }

    func remove(_ stream: StreamFollower) {
        guard let index = stream.index else { return }
        stream.index = nil
        let last = streams.removeLast()
        if last !== stream {
            streams[index] = last
            last.index = index
        }
    }

    /// Hands a batch to those who follow.
    func receive(_ batch: EventBatch, followers: Int) {
        self.followers = followers
        let now = EventBroadcaster.now()
        // A write that fails can remove a stream while they are gone through.
        for stream in Array(streams) { stream.receive(batch, now: now) }
    }

    /// Hands a frame to the streams that get the read markers of its user.
    func receive(_ frame: ByteBuffer, about move: MovedMarker) {
        let now = EventBroadcaster.now()
        for stream in Array(streams) { stream.receive(frame, about: move, now: now) }
    }

    /// Closes the connections of all who follow.
    func closeFollowers() {
        for stream in Array(streams) where stream.isFollowing { stream.closeConnection() }
    }

    func joined(followers: Int) { self.followers = followers }

    /// Has a stream flushed at a time.
    func wait(_ stream: StreamFollower, until time: Int64, now: Int64) {
        waiting.append(stream)
        if isTimerSet { return }
        isTimerSet = true
        // They were written to at about the same time; one that has to wait longer waits again.
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: .milliseconds(max(1, time - now))) { bound.value.flushWaiting() }
    }

    private func flushWaiting() {
        isTimerSet = false
        let due = waiting
        waiting = []
        let now = EventBroadcaster.now()
        for stream in due { stream.waitIsOver(now: now) }
    }
}
