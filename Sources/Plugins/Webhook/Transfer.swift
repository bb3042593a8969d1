import CCurl
import HTTPClient
import PluginKit

/// A libcurl handle aimed at one endpoint, used for one delivery after another so that its connection is reused.
///
/// Belongs to the courier's thread.
final class Transfer {
    /// The bytes of an answer that are read; the connection of a longer one is closed.
    static let maxAnswer = 16 << 10
    /// What the plugin calls itself.
    static let userAgent = "crowbar-webhook/1"

    /// The endpoint's index.
    let lane: Int
    /// The delivery in flight, or nil while the handle is idle.
    private(set) var job: Job?
    /// When it was posted, CLOCK_MONOTONIC in milliseconds.
    private(set) var postedAt: Int64 = 0
    /// Its place in the courier's list.
    var slot = 0
    /// The header lines of its requests; others than the endpoint's now: its configuration changed.
    let headers: HeaderLines
    /// The endpoint as it was when the handle was made.
    let endpoint: Endpoint
    private var handle: OpaquePointer?

    /// Makes a handle; nil where libcurl has no memory or refuses the endpoint.
    /// - Parameter pool: The pool of connections that it uses, which no other endpoint has.
    init?(lane: Int, endpoint: Endpoint, headers: HeaderLines, pool: UInt32) {
        self.lane = lane
        self.endpoint = endpoint
        self.headers = headers
        let context = Unmanaged.passUnretained(self).toOpaque()
        // libcurl copies each.
        let texts = HeaderLines([endpoint.url.text, Self.userAgent])
        let given = [endpoint.proxy?.text, endpoint.tls.caFile, endpoint.tls.clientCert, endpoint.tls.clientKey].map {
            HeaderLines($0.map { [$0] } ?? [])
        }
        handle = withExtendedLifetime((texts, given)) {
            var target = ccurl_target(
                url: texts.lines[0], user_agent: texts.lines[1], proxy: given[0].lines[0],
                proxy_port: endpoint.proxy?.port ?? 0, ca_file: given[1].lines[0],
                client_cert: given[2].lines[0], client_key: given[3].lines[0],
                requires_tls13: endpoint.tls.minimum == .tls13, headers: headers.lines,
                connect_timeout_ms: Int(endpoint.limits.connect + endpoint.limits.secure),
                timeout_ms: Int(endpoint.limits.all),
                answer_limit: Self.maxAnswer, pool: pool)
            return ccurl_transfer_make(&target, Self.judge, context)
        }
        if handle == nil { return nil }
    }

    deinit { ccurl_transfer_free(handle) }

    /// Starts to post a delivery.
    /// - Parameter time: Unix time in seconds, for the signature.
    func post(_ job: Job, on multi: OpaquePointer, time: Int64) -> Bool {
        let signatures = endpoint.signer.signatures(id: job.eventId, timestamp: time, body: job.body)
        self.job = job
        postedAt = CourierLoop.now()
        let lines = HeaderLines(
            ["webhook-id: \(job.eventId)", "webhook-timestamp: \(time)"]
                + job.headers + (signatures.map { ["webhook-signature: \($0)"] } ?? []))
        return job.body.withUnsafeBufferPointer { body in
            ccurl_transfer_post(handle, multi, body.baseAddress, body.count, lines.lines)
        }
    }

    /// Posts the delivery in flight once more, over a connection of its own.
    func postAgain(on multi: OpaquePointer) -> Bool { ccurl_transfer_repeat(handle, multi) }

    /// Hands back the delivery when its try has ended.
    func finish() -> Job? {
        defer { job = nil }
        return job
    }

    /// The first part of the answer's body.
    var answer: [UInt8] {
        var bytes: UnsafePointer<UInt8>?
        let count = ccurl_transfer_answer(handle, &bytes)
        return Array(UnsafeBufferPointer(start: bytes, count: count))
    }

    /// Gives up the try.
    func cancel(on multi: OpaquePointer) { ccurl_transfer_cancel(handle, multi) }

    /// What is to be done about a try that takes too long.
    enum Overrun {
        /// It failed, and why.
        case failed(String)
        /// The answer's head is there, which is all that is needed (``cut(on:)``).
        case headOnly
    }

    /// Ends the body of an answer whose head is whole.
    func cut(on multi: OpaquePointer) -> Outcome {
        var result = ccurl_result()
        ccurl_transfer_cut(handle, multi, &result)
        return Outcome(result, of: endpoint, answer: answer)
    }

    /// Why the try has to be ended; nil: it goes on.
    /// - Parameter now: CLOCK_MONOTONIC in milliseconds.
    func overrun(now: Int64) -> Overrun? {
        var since: Int64 = 0
        let phase: TimeLimits.Phase =
            switch ccurl_transfer_phase(handle, &since) {
            case CCURL_CONNECTING: .connecting
            case CCURL_SECURING: .securing
            case CCURL_WAITING: .waiting
            case CCURL_BODY: .body
            default: .reading
            }
        if endpoint.limits.isBodyOver(phase, elapsed: now - since) { return .headOnly }
        return endpoint.limits.overrun(phase, elapsed: now - since).map { .failed($0) }
    }

    /// libcurl asks this before it connects and before it writes a request to a connection that is open already. The
    /// context is the transfer, which the courier keeps for as long as its handle lives.
    private static let judge: ccurl_judge = { context, address, length in
        guard let context, let address,
            let address = IPAddress(UnsafeBufferPointer(start: address, count: length))
        else { return false }
        return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().endpoint.filter.allows(address)
    }
}
