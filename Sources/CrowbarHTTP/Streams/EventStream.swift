import CrowbarCore
import HummingbirdCore
import NIOCore
import ServiceLifecycle

/// One open event stream: it reads pages until it is at the head of the log, then follows the broadcast, until its
/// reader goes or may not read any more.
struct EventStream: Sendable {
    /// What all streams of a listener share.
    struct Shared: Sendable {
        var log: ReadableLog
        var readers: ReaderAuthenticator
        var broadcaster: EventBroadcaster
        var turns: CatchUpTurns
        var sparseLog: SparseLog
        /// Where streams are counted; nil: nowhere.
        var metrics: HTTPMetrics?
        /// The Unix time in milliseconds.
        var now: @Sendable () -> Int64
        var times: ListenerRules.Times
    }

    private typealias Follower = NIOLoopBound<StreamFollower>

    let shared: Shared
    let channel: any Channel
    /// Where the call comes from.
    let address: String
    /// The first bytes.
    let opening: ByteBuffer
    /// Whose read markers it gets; nil where none.
    let marksOf: String?
    let filter: EventFilter

    /// Runs the stream to its end.
    func run(
        _ reader: AuthenticatedReader, _ selection: EventSelection, _ writer: inout any ResponseBodyWriter
    ) async throws {
        let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        channel.closeFuture.whenComplete { _ in signal.finish() }
        try await withGracefulShutdownHandler {
            // Before the first bytes: no marker that moves after them is missed.
            let follower = try await open { signal.yield() }
            do {
                try await writer.write(opening)
                let ended = try await follow(follower, reader, selection, signals, &writer)
                try await leave(follower, flushing: ended == nil)
                if let ended {
                    shared.metrics?.note(.unauthorized as HTTPMetrics.StreamEnd)
                    try await writer.write(StreamFrame.end(ended))
                }
            } catch {
                try? await leave(follower, flushing: false)
                throw error
            }
        } onGracefulShutdown: {
            signal.finish()
        }
    }

    // MARK: The event loop's part

    private func open(_ wake: @escaping @Sendable () -> Void) async throws -> Follower {
        var limits = FollowerQueue.Limits()
        limits.write = shared.times.write
        limits.silence = silence
        let settings = StreamFollower.Settings(
            marksOf: marksOf, filter: filter, recheck: shared.times.recheck, limits: limits, wake: wake,
            tooSlow: { [shared, address] in
                shared.metrics?.note(.slowReader)
                shared.sparseLog.warn(
                    .slowReader,
                    "a caller at \(address) does not read its event stream fast enough; the connection was closed")
            })
        let (channel, broadcaster) = (channel, shared.broadcaster)
        return try await channel.eventLoop.submit {
            NIOLoopBound(StreamFollower(settings, on: channel, broadcaster), eventLoop: channel.eventLoop)
        }.get()
    }

    private func leave(_ follower: Follower, flushing isFlushing: Bool) async throws {
        try await channel.eventLoop.submit { follower.value.leave(flushing: isFlushing) }.get()
    }

    private func join(
        _ follower: Follower, _ selection: EventSelection, hasRead: Bool, until time: Int64
    ) async throws -> Bool {
        try await channel.eventLoop.submit {
            follower.value.join(selection, hasRead: hasRead, validUntil: time)
        }.get()
    }

    // MARK: The reader's part

    /// - Returns: Why the reader may not read on; nil where the stream is over for another reason.
    private func follow(
        _ follower: Follower, _ reader: AuthenticatedReader, _ selection: EventSelection, _ signals: AsyncStream<Void>,
        _ writer: inout any ResponseBodyWriter
    ) async throws -> CommandError? {
        var (reader, selection, quiet) = (reader, selection, shared.now())
        var hasRead = false
        repeat {
            if let ended = await shared.readers.end(of: &reader) { return ended }
            if Task.isShuttingDownGracefully { return nil }
            if try await join(follower, selection, hasRead: hasRead, until: validity(of: reader)) { break }
            try await sendPage(&selection, &quiet, &writer)
            hasRead = true
        } while !Task.isCancelled
        for await _ in signals {
            if let ended = await shared.readers.end(of: &reader) { return ended }
            let time = validity(of: reader)
            channel.eventLoop.execute { follower.value.renew(until: time) }
        }
        return nil
    }

    private func sendPage(
        _ selection: inout EventSelection, _ quiet: inout Int64, _ writer: inout any ResponseBodyWriter
    ) async throws {
        var lines = try await selection.read(shared.log, shared.turns) ?? ByteBuffer()
        if lines.readableBytes == 0, shared.now() - quiet >= silence { lines = StreamFrame.alive }
        // In small writes, so that a slow reader is seen to proceed, and little waits in memory for one that does not.
        while let part = lines.readSlice(length: min(lines.readableBytes, APIConfiguration.Limit.write)),
            part.readableBytes > 0
        {
            try await writer.write(part)
            quiet = shared.now()
        }
    }

    /// How long a stream may be silent, in milliseconds: less than the time that is promised by two looks at it.
    private var silence: Int64 {
        APIConfiguration.Limit.heartbeatSeconds * 1_000 - 2 * shared.times.recheck
    }

    /// Until when a reader may read without another look at the token, by the clock of ``FollowerQueue``. A look that
    /// is late holds the stream up, so that a change of the token counts in the time that is promised for it.
    private func validity(of reader: AuthenticatedReader) -> Int64 {
        guard let credential = reader.credential else { return .max }
        let left = credential.expires.map { $0 - shared.now() } ?? .max
        return EventBroadcaster.now() + max(0, min(left, shared.times.recheck * 3 / 2))
    }
}
