import CCurl

/// A libcurl handle aimed at one URL, for one request after another, so that its connection is reused. Belongs to the
/// thread of its multi handle.
package final class HTTPTransfer {
    /// Where the requests of a transfer go.
    package struct Target: Sendable {
        /// As `POST`; `GET` and `HEAD` go without a body.
        package var method = "POST"
        /// The whole URL.
        package var url: String
        /// What the program calls itself.
        package var userAgent: String
        /// The HTTP proxy to go through; nil: none, whatever the environment says.
        package var proxy: (url: String, port: Int)?
        /// CA certificates (PEM) in place of the system's.
        package var caFile: String?
        /// The client's certificate (PEM), with its chain.
        package var clientCert: String?
        /// Its private key (PEM); nil: it is in the certificate's file.
        package var clientKey: String?
        /// No TLS below 1.3; else none below 1.2.
        package var requiresTLS13 = false
        /// The time for name, connection and TLS together, in milliseconds.
        package var connectTimeout: Int64 = 5000
        /// The time for everything, in milliseconds.
        package var timeout: Int64
        /// Bytes of an answer's body that are read.
        package var answerLimit: Int
        /// Whether the body of an answer matters; else its head decides, and the first KiB is kept to be shown.
        package var needsBody = false
        /// Names of headers of an answer whose values are kept besides, at most two.
        package var keptHeaders: [String] = []
        /// Requests reuse connections of the same pool only; 0: one pool for all that have this.
        package var pool: UInt32 = 0
        /// Which addresses requests may go to; nil: each.
        package var addresses: AddressFilter?

        package init(url: String, userAgent: String, timeout: Int64, answerLimit: Int) {
            (self.url, self.userAgent, self.timeout, self.answerLimit) = (url, userAgent, timeout, answerLimit)
        }

        /// The target of a call.
        package init(_ call: Call, userAgent: String) {
            let path = call.request.path + (call.request.query.isEmpty ? "" : "?\(call.request.query)")
            self.init(
                url: call.endpoint.url(path), userAgent: userAgent, timeout: call.timeout, answerLimit: call.answerLimit
            )
            (method, needsBody, keptHeaders) = (call.request.method, true, call.keptHeaders)
            (caFile, addresses) = (call.caFile, call.addresses)
        }
    }

    /// Kept, as libcurl's handle refers to them.
    private let headers: HeaderLines
    private let judge: AddressJudge?
    private var handle: OpaquePointer?

    /// Makes a handle; nil where libcurl has no memory or refuses the target.
    /// - Parameters:
    ///   - headers: The lines that each request carries.
    ///   - context: What `ccurl_multi_next` returns when a request has ended; the owner keeps it valid until then.
    package init?(_ target: Target, headers: HeaderLines, context: UnsafeMutableRawPointer) {
        self.headers = headers
        judge = target.addresses.map { AddressJudge($0) }
        // libcurl copies each.
        let texts = HeaderLines([target.method, target.url, target.userAgent])
        let kept = HeaderLines(target.keptHeaders)
        let given = [target.proxy?.url, target.caFile, target.clientCert, target.clientKey].map {
            HeaderLines($0.map { [$0] } ?? [])
        }
        handle = withExtendedLifetime((texts, kept, given)) {
            var target = ccurl_target(
                method: texts.lines[0], url: texts.lines[1], user_agent: texts.lines[2], proxy: given[0].lines[0],
                proxy_port: target.proxy?.port ?? 0, ca_file: given[1].lines[0], client_cert: given[2].lines[0],
                client_key: given[3].lines[0], requires_tls13: target.requiresTLS13, headers: headers.lines,
                connect_timeout_ms: Int(target.connectTimeout), timeout_ms: Int(target.timeout),
                answer_limit: target.answerLimit, needs_body: target.needsBody,
                asked_headers: (
                    target.keptHeaders.isEmpty ? nil : kept.lines[0], target.keptHeaders.count < 2 ? nil : kept.lines[1]
                ),
                judge: judge == nil ? nil : AddressJudge.judge,
                judge_context: judge.map { Unmanaged.passUnretained($0).toOpaque() }, pool: target.pool)
            return ccurl_transfer_make(&target, context)
        }
        if handle == nil { return nil }
    }

    deinit { ccurl_transfer_free(handle) }

    /// Starts a request; false: libcurl refused it.
    /// - Parameter own: Header lines of this request alone.
    package func send(_ body: [UInt8], _ own: HeaderLines, on multi: OpaquePointer) -> Bool {
        body.withUnsafeBufferPointer { ccurl_transfer_send(handle, multi, $0.baseAddress, $0.count, own.lines) }
    }

    /// Makes the request that has ended once more, on a new connection.
    package func sendAgain(on multi: OpaquePointer) -> Bool { ccurl_transfer_repeat(handle, multi) }

    /// What is kept of the answer's body.
    package var answer: [UInt8] {
        var bytes: UnsafePointer<UInt8>?
        let count = ccurl_transfer_answer(handle, &bytes)
        return Array(UnsafeBufferPointer(start: bytes, count: count))
    }

    /// Gives up a request that has not ended.
    package func cancel(on multi: OpaquePointer) { ccurl_transfer_cancel(handle, multi) }

    /// Ends the body of an answer whose head is whole.
    package func cut(on multi: OpaquePointer) -> ccurl_result {
        var result = ccurl_result()
        ccurl_transfer_cut(handle, multi, &result)
        return result
    }

    /// What a request in flight is doing, and since when by CLOCK_MONOTONIC, in milliseconds.
    package var phase: (ccurl_phase, since: Int64) {
        var since: Int64 = 0
        let phase = ccurl_transfer_phase(handle, &since)
        return (phase, since)
    }
}

/// The address rule of a transfer, as libcurl asks for it.
private final class AddressJudge {
    private let filter: AddressFilter

    init(_ filter: AddressFilter) { self.filter = filter }

    /// Asked before a connection is made, and before a request goes out on one that is open already. The context is a
    /// judge that its transfer keeps.
    static let judge: ccurl_judge = { context, address, length in
        guard let context, let address,
            let address = IPAddress(UnsafeBufferPointer(start: address, count: length))
        else { return false }
        return Unmanaged<AddressJudge>.fromOpaque(context).takeUnretainedValue().filter.allows(address)
    }
}
