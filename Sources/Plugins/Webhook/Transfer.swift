import CCurl

/// A libcurl handle aimed at one endpoint, used for one delivery after another so that its connection is reused.
///
/// Belongs to the courier's thread.
final class Transfer {
    /// The time for name, connection and TLS together, in milliseconds.
    static let connectTimeout = 5000
    /// The time from the request to the answer's first byte, in milliseconds.
    static let firstByteTimeout: Int64 = 15_000
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
    init?(lane: Int, endpoint: Endpoint, headers: HeaderLines) {
        self.lane = lane
        self.endpoint = endpoint
        self.headers = headers
        let context = Unmanaged.passUnretained(self).toOpaque()
        handle = endpoint.url.text.withCString { url in
            Self.userAgent.withCString { userAgent in
                let make = { (caFile: UnsafePointer<CChar>?) -> OpaquePointer? in
                    var target = ccurl_target(
                        url: url, user_agent: userAgent, ca_file: caFile, headers: headers.lines,
                        connect_timeout_ms: Self.connectTimeout, timeout_ms: Int(endpoint.timeout),
                        answer_limit: Self.maxAnswer)
                    return ccurl_transfer_make(&target, Self.judge, context)
                }
                guard let caFile = endpoint.caFile else { return make(nil) }
                return caFile.withCString { make($0) }
            }
        }
        if handle == nil { return nil }
    }

    deinit { ccurl_transfer_free(handle) }

    /// Starts to post a delivery.
    /// - Parameter time: Unix time in seconds, for the signature.
    func post(_ job: Job, on multi: OpaquePointer, time: Int64) -> Bool {
        let signature = endpoint.secret.signature(id: job.eventId, timestamp: time, body: job.body)
        self.job = job
        postedAt = CourierLoop.now()
        return "webhook-id: \(job.eventId)".withCString { id in
            "webhook-timestamp: \(time)".withCString { timestamp in
                "webhook-signature: \(signature)".withCString { signature in
                    job.body.withUnsafeBufferPointer { body in
                        ccurl_transfer_post(handle, multi, body.baseAddress, body.count, [id, timestamp, signature])
                    }
                }
            }
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

    /// Whether the request is out for longer than a first byte may take.
    /// - Parameter now: CLOCK_MONOTONIC in milliseconds.
    func isUnanswered(now: Int64) -> Bool {
        let since = ccurl_transfer_unanswered_since(handle)
        return since > 0 && now - since >= Self.firstByteTimeout
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
