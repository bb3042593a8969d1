import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOHTTPTypes

/// A body came too slowly; thrown to its reader.
struct BodyTooSlow: Error {}

/// The server shuts down and a body is not complete in time; thrown to its reader.
struct BodyUnfinishedAtShutdown: Error {}

/// Closes connections that make the server wait: without a request, with a body that trickles, without reading answers.
/// A thin shell over ``ConnectionWatch``, on the connection's event loop.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let gate: ConnectionGate
    private let log: SparseLog
    private let metrics: HTTPMetrics?
    private var watch: ConnectionWatch
    /// Its number at the gate while it waits for a request.
    private var place: UInt64?
    private var isNew = true
    private var isReadWanted = false
    /// The caller will send nothing more.
    private var isInputClosed = false
    /// The answer is an event stream.
    private var isStreaming = false
    /// The server shuts down.
    private var isShuttingDown = false
    /// Answers of which not all bytes have left.
    private var unsent = 0
    /// The connection closes once ``unsent`` is 0.
    private var closing: EventLoopPromise<Void>?
    private var timer: Scheduled<Void>?
    private var timerDue: Int64 = 0

    init(_ rules: ListenerRules, gate: ConnectionGate, log: SparseLog, metrics: HTTPMetrics? = nil) {
        self.gate = gate
        self.log = log
        self.metrics = metrics
        watch = ConnectionWatch(rules.times, now: Self.now())
    }

    private static func now() -> Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000) }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    private func begin(_ context: ChannelHandlerContext) {
        guard place == nil, isNew else { return }
        updatePlace(context)
        schedule(context)
    }

    private func end() {
        closing?.succeed()
        closing = nil
        timer?.cancel()
        timer = nil
        place.map(gate.waitsNoMore)
        place = nil
        isNew = false
    }

    /// Tells the gate whether the connection waits for a request.
    private func updatePlace(_ context: ChannelHandlerContext) {
        if watch.isIdle, place == nil {
            place = gate.waits(context.channel, isNew: isNew)
            if place == nil { context.close(promise: nil) }
        } else if !watch.isIdle, let waiting = place {
            gate.waitsNoMore(waiting)
            place = nil
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            watch.receiveHead(now: Self.now())
            isNew = false
            updatePlace(context)
        case .body(let bytes): watch.receiveBody(bytes.readableBytes)
        case .end:
            watch.receiveEnd(now: Self.now())
            // Where the answer went out before the body had come.
            if watch.isIdle { updatePlace(context) }
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadWanted = false
        // Most bodies come with their headers and need no timer.
        if watch.isReceiving { schedule(context) }
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        isReadWanted = true
        context.read()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head):
            isStreaming = head.headerFields[.contentType] == "text/event-stream"
            // The connection closes behind this answer: the caller should not send another request.
            if watch.isLastAnswer, head.status.kind != .informational { head.headerFields[.connection] = "close" }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
            closeAbandoned(context)
            return
        case .body: return context.write(data, promise: promise)
        case .end: break
        }
        // Only once the answer has left may the connection be closed for want of room.
        let left = promise ?? context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        unsent += 1
        left.futureResult.whenComplete { bound.value.handler.sent($0, bound.value.context) }
        context.write(data, promise: left)
    }

    /// Notes that the bytes of an answer have left, or never will.
    private func sent(_ result: Result<Void, any Error>, _ context: ChannelHandlerContext) {
        unsent -= 1
        if case .success = result { answered(context) }
        guard unsent == 0, let closing else { return }
        self.closing = nil
        context.close(promise: closing)
    }

    /// Closes the connection. At a shutdown the library closes it as soon as the last answer was written, and SwiftNIO
    /// drops the bytes that the network has not accepted yet: so closing waits for them.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard isShuttingDown, mode == .all, unsent > 0, context.channel.isActive else {
            return context.close(mode: mode, promise: promise)
        }
        let waiting = closing ?? context.eventLoop.makePromise(of: Void.self)
        closing = waiting
        if let promise { waiting.futureResult.cascade(to: promise) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event {
            isInputClosed = true
            closeAbandoned(context)
        }
        if event is ChannelShouldQuiesceEvent {
            isShuttingDown = true
            watch.shutDown(now: Self.now())
            schedule(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// Ends a stream whose reader has gone: else its place is free only after the next write. A caller that sends
    /// nothing more may still wait for any other answer.
    private func closeAbandoned(_ context: ChannelHandlerContext) {
        if isInputClosed, isStreaming { context.close(promise: nil) }
    }

    private func answered(_ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        watch.answered(now: Self.now())
        updatePlace(context)
        schedule(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        watch.changeWritability(context.channel.isWritable, pending: Self.pending(context), now: Self.now())
        schedule(context)
        context.fireChannelWritabilityChanged()
    }

    private static func pending(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// Sets the timer where there is none, or only a later one. One that comes too early looks, and is set again.
    private func schedule(_ context: ChannelHandlerContext) {
        let now = Self.now()
        guard let wait = watch.nextCheck(now: now), timer == nil || now + wait < timerDue else { return }
        timer?.cancel()
        timerDue = now + wait
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: .milliseconds(wait)) {
            bound.value.handler.timer = nil
            bound.value.handler.check(bound.value.context)
        }
    }

    private func check(_ context: ChannelHandlerContext) {
        let address = context.channel.remoteAddress?.ipAddress ?? "local"
        switch watch.check(now: Self.now(), pending: Self.pending(context), isWanted: isReadWanted) {
        case .fine: break
        case .closeIdle: return context.close(promise: nil)
        case .closeSlowBody:
            metrics?.note(.slowConnection)
            return context.close(promise: nil)
        case .refuseBody:
            log.warn(.slowBody, "a request's body from \(address) came too slowly and was refused")
            context.fireErrorCaught(BodyTooSlow())
        case .closeUnread:
            metrics?.note(.slowConnection)
            log.warn(.slowReader, "a caller at \(address) does not read its answer; the connection was closed")
            return context.close(promise: nil)
        case .refuseBodyAtShutdown: context.fireErrorCaught(BodyUnfinishedAtShutdown())
        case .closeAtShutdown:
            log.warn(.cutOff, "a request of \(address) was cut off by the shutdown")
            return context.close(promise: nil)
        }
        schedule(context)
    }
}
