import CCurl

/// A request on its way, and what is to be done with its answer. Belongs to the thread of its multi handle.
package final class HTTPExchange<Purpose> {
    /// The time for name, connection and TLS together, in milliseconds.
    private static var connectTimeout: Int { 5000 }

    /// What is to be done with the answer.
    package let purpose: Purpose
    /// When it began, in milliseconds of the caller's clock.
    package let startedAt: Int64
    private var endpoint: ServiceEndpoint?
    private var keptHeaders: [String] = []
    private var judge: AddressJudge?
    private var handle: OpaquePointer?

    package init(_ purpose: Purpose, at now: Int64) {
        self.purpose = purpose
        startedAt = now
    }

    /// Starts the request; false: libcurl refused it. The exchange must live until ``ended(on:)`` has returned it or
    /// ``cancel(on:)`` was called.
    /// - Parameter userAgent: What the program calls itself.
    package func start(_ call: Call, _ lines: [String], userAgent: String, on multi: OpaquePointer) -> Bool {
        endpoint = call.endpoint
        keptHeaders = call.keptHeaders
        judge = call.addresses.map { AddressJudge($0) }
        let path = call.request.path + (call.request.query.isEmpty ? "" : "?\(call.request.query)")
        let texts = HeaderLines([call.request.method, call.endpoint.url(path), userAgent])
        let (headers, kept) = (HeaderLines(lines), HeaderLines(keptHeaders))
        let authorities = HeaderLines(call.caFile.map { [$0] } ?? [])
        return withExtendedLifetime((texts, headers, kept, authorities)) {
            call.request.body.withUnsafeBufferPointer { body in
                var question = ccurl_question(
                    method: texts.lines[0], url: texts.lines[1], user_agent: texts.lines[2], headers: headers.lines,
                    body: body.baseAddress, body_size: body.count,
                    connect_timeout_ms: Self.connectTimeout, timeout_ms: Int(call.timeout),
                    answer_limit: call.answerLimit,
                    kept_headers: (
                        keptHeaders.isEmpty ? nil : kept.lines[0], keptHeaders.count < 2 ? nil : kept.lines[1]
                    ),
                    ca_file: authorities.lines[0], judge: judge == nil ? nil : AddressJudge.judge,
                    judge_context: judge.map { Unmanaged.passUnretained($0).toOpaque() })
                handle = ccurl_exchange_start(multi, &question, Unmanaged.passUnretained(self).toOpaque())
                return handle != nil
            }
        }
    }

    /// Gives up a request that has not ended.
    package func cancel(on multi: OpaquePointer) {
        ccurl_exchange_cancel(handle, multi)
        handle = nil
    }

    /// The next exchange that has ended, and how.
    package static func ended(on multi: OpaquePointer) -> (HTTPExchange, Outcome)? {
        var (handle, answer) = (OpaquePointer?.none, ccurl_answer())
        while let context = ccurl_exchange_next(multi, &handle, &answer) {
            // The same try on a new connection, as the kept one was of no use.
            if ccurl_kind(UInt32(answer.kind)) == CCURL_STALE, ccurl_exchange_repeat(handle, multi) { continue }
            defer { ccurl_exchange_free(handle) }
            // The context is an exchange that the thread keeps until it is handed back here. All of one multi handle
            // have the same purpose.
            let exchange = Unmanaged<HTTPExchange>.fromOpaque(context).takeUnretainedValue()
            exchange.handle = nil
            return (exchange, exchange.outcome(answer))
        }
        return nil
    }

    private func outcome(_ answer: ccurl_answer) -> Outcome {
        let (host, isTLS) = (endpoint?.authority ?? "the service", endpoint?.scheme == "https")
        let message = answer.message.map { String(cString: $0) } ?? "no reason given"
        switch ccurl_kind(UInt32(answer.kind)) {
        case CCURL_ANSWERED:
            return .answered(
                Outcome.Answer(
                    status: answer.status,
                    body: Array(UnsafeBufferPointer(start: answer.body, count: answer.body_size)),
                    wasCut: answer.was_cut, headers: headers(answer)))
        case CCURL_TIMED_OUT: return .failed(code: "timeout", message: message)
        case CCURL_UNRESOLVED: return .failed(code: "dns", message: message)
        case CCURL_UNCONNECTED: return .failed(code: "connect", message: message)
        case CCURL_DENIED: return .failed(code: "denied", message: "\(host) has an address that is not allowed")
        case CCURL_TLS_FAILED: return .failed(code: "tls", message: TLSWords.text(message, host: endpoint?.authority))
        case CCURL_NO_HTTP: return .failed(code: "transfer", message: HTTPWords.noHTTP(host, isTLS: isTLS))
        case CCURL_UNANSWERED:
            return .failed(code: "transfer", message: HTTPWords.unanswered(host, isTLS: isTLS, message))
        default: return .failed(code: "transfer", message: message)
        }
    }

    private func headers(_ answer: ccurl_answer) -> [String: String] {
        var found: [String: String] = [:]
        for (name, pointer) in zip(keptHeaders, [answer.kept_headers.0, answer.kept_headers.1]) {
            let value = pointer.map { String(cString: $0) } ?? ""
            if !value.isEmpty { found[name] = value }
        }
        return found
    }
}

/// The address rule of one exchange, as libcurl asks for it.
private final class AddressJudge {
    private let filter: AddressFilter

    init(_ filter: AddressFilter) { self.filter = filter }

    /// Asked before a connection is made, and before a request goes out on one that is open already. The context is a
    /// judge that its exchange keeps.
    static let judge: ccurl_judge = { context, address, length in
        guard let context, let address,
            let address = IPAddress(UnsafeBufferPointer(start: address, count: length))
        else { return false }
        return Unmanaged<AddressJudge>.fromOpaque(context).takeUnretainedValue().filter.allows(address)
    }
}
