import CCurl
import HTTPClient

/// A libcurl handle and what it is used for: for one endpoint's requests, one after the other, or for one request that
/// hands over no events. Belongs to the sender's thread.
final class ReusableRequest<Service: SendService> {
    /// What a request is for.
    enum Purpose {
        /// Events of the endpoint at an index, as it was configured when the handle was made.
        case deliveries(index: Int, ConfiguredEndpoint<Service.Endpoint>)
        /// Something that the plugin needs first.
        case preparation(PreparationCall<Service.Preparation>)
    }

    let purpose: Purpose
    /// The deliveries in flight; empty while the handle is idle.
    private(set) var deliveries: [Delivery] = []
    /// When they were sent, CLOCK_MONOTONIC in milliseconds.
    private(set) var sentAt: Int64 = 0
    /// Its place in the loop's list.
    var slot = 0
    private var transfer: HTTPTransfer?

    /// Makes a handle for an endpoint; nil where libcurl has no memory or refuses it.
    init?(index: Int, _ configured: ConfiguredEndpoint<Service.Endpoint>) {
        purpose = .deliveries(index: index, configured)
        var target = configured.endpoint.requestTarget
        target.pool = configured.pool
        if !aim(target, configured.headers) { return nil }
    }

    /// Makes a handle for a request that hands over no events.
    init?(_ call: PreparationCall<Service.Preparation>) {
        purpose = .preparation(call)
        if !aim(HTTPTransfer.Target(call.call, userAgent: call.userAgent), HeaderLines(call.lines)) { return nil }
    }

    private func aim(_ target: HTTPTransfer.Target, _ headers: HeaderLines) -> Bool {
        // The loop keeps this object as long as its request is in flight.
        transfer = HTTPTransfer(target, headers: headers, context: Unmanaged.passUnretained(self).toOpaque())
        return transfer != nil
    }

    /// Starts a request; false: libcurl refused it.
    func send(_ deliveries: [Delivery], _ lines: [String], _ body: [UInt8], on multi: OpaquePointer) -> Bool {
        self.deliveries = deliveries
        sentAt = MonotonicClock.now()
        return transfer?.send(body, HeaderLines(lines), on: multi) ?? false
    }

    /// Makes the request that has ended once more, on a new connection.
    func sendAgain(on multi: OpaquePointer) -> Bool { transfer?.sendAgain(on: multi) ?? false }

    /// Hands back the deliveries of a request that has ended.
    func finish() -> [Delivery] {
        defer { deliveries = [] }
        return deliveries
    }

    /// What is kept of the answer's body.
    var answer: [UInt8] { transfer?.answer ?? [] }

    /// Gives up the request.
    func cancel(on multi: OpaquePointer) { transfer?.cancel(on: multi) }

    /// What to do about a request that takes too long.
    enum Overrun {
        /// It failed, and why.
        case failed(String)
        /// The answer's head is there, which is all that is needed (``cut(on:)``).
        case headOnly
    }

    /// Ends the body of an answer whose head is whole.
    func cut(on multi: OpaquePointer) -> ccurl_result { transfer?.cut(on: multi) ?? ccurl_result() }

    /// Why the request has to be ended; nil: it goes on.
    /// - Parameter now: CLOCK_MONOTONIC in milliseconds.
    func overrun(_ limits: TimeLimits, now: Int64) -> Overrun? {
        guard let (phase, since) = transfer?.phase else { return nil }
        let part: TimeLimits.Phase =
            switch phase {
            case CCURL_CONNECTING: .connecting
            case CCURL_SECURING: .securing
            case CCURL_WAITING: .waiting
            case CCURL_BODY: .body
            default: .reading
            }
        if limits.isBodyOver(part, elapsed: now - since) { return .headOnly }
        return limits.overrun(part, elapsed: now - since).map { .failed($0) }
    }
}
