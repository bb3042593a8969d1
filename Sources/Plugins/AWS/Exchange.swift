import CCurl
import PluginKit
import PluginWire

/// A request on its way. Belongs to the courier's thread.
final class Exchange {
    /// What is to be done with the answer.
    enum Purpose {
        /// Events of a target.
        case events([Job], lane: Int)
        /// Credentials of an origin.
        case credentials(CredentialOrigin)
        /// An operator's test of a target, and the question that it answers.
        case test(Job, lane: Int, MessageID)
    }

    /// The time for name, connection and TLS together, in milliseconds.
    static let connectTimeout = 5000
    /// What the plugin calls itself.
    static let userAgent = "crowbar-aws/1"
    private static let errorTypeHeader: StaticString = "x-amzn-errortype"
    private static let functionErrorHeader: StaticString = "x-amz-function-error"

    /// What is to be done with the answer.
    let purpose: Purpose
    /// When it began, in milliseconds of the courier's clock.
    let startedAt: Int64
    private var endpoint: ServiceEndpoint?

    init(_ purpose: Purpose, at now: Int64) {
        self.purpose = purpose
        startedAt = now
    }

    /// Starts the request; false: libcurl refused it. The exchange must live until ``ended(on:)`` has returned it.
    func start(_ call: Call, _ lines: [String], on multi: OpaquePointer) -> Bool {
        endpoint = call.endpoint
        let path = call.request.path + (call.request.query.isEmpty ? "" : "?\(call.request.query)")
        let headers = HeaderLines(lines)
        return withExtendedLifetime(headers) {
            call.request.method.withCString { method in
                call.endpoint.url(path).withCString { url in
                    Self.userAgent.withCString { userAgent in
                        call.request.body.withUnsafeBufferPointer { body in
                            var question = ccurl_question(
                                method: method, url: url, user_agent: userAgent, headers: headers.lines,
                                body: body.baseAddress, body_size: body.count,
                                connect_timeout_ms: Self.connectTimeout, timeout_ms: Int(call.timeout),
                                answer_limit: call.answerLimit,
                                kept_headers: (
                                    Self.cString(Self.errorTypeHeader), Self.cString(Self.functionErrorHeader)
                                ))
                            let context = Unmanaged.passUnretained(self).toOpaque()
                            return ccurl_exchange_start(multi, &question, context) != nil
                        }
                    }
                }
            }
        }
    }

    /// The next exchange that has ended, and how.
    static func ended(on multi: OpaquePointer) -> (Exchange, Outcome)? {
        var (handle, answer) = (OpaquePointer?.none, ccurl_answer())
        while let context = ccurl_exchange_next(multi, &handle, &answer) {
            // The same try on a new connection, as the kept one was of no use.
            if ccurl_kind(UInt32(answer.kind)) == CCURL_STALE, ccurl_exchange_repeat(handle, multi) { continue }
            defer { ccurl_exchange_free(handle) }
            // The context is an exchange that the courier keeps until it is handed back here.
            let exchange = Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
            return (exchange, exchange.outcome(answer))
        }
        return nil
    }

    private func outcome(_ answer: ccurl_answer) -> Outcome {
        let (host, isTLS) = (endpoint?.authority ?? "the service", endpoint?.scheme == "https")
        let message = answer.message.map { String(cString: $0) } ?? "no reason given"
        switch ccurl_kind(UInt32(answer.kind)) {
        case CCURL_ANSWERED:
            func text(_ pointer: UnsafePointer<CChar>?) -> String? {
                let text = pointer.map { String(cString: $0) } ?? ""
                return text.isEmpty ? nil : text
            }
            return .answered(
                Outcome.Answer(
                    status: answer.status,
                    body: Array(UnsafeBufferPointer(start: answer.body, count: answer.body_size)),
                    wasCut: answer.was_cut, errorType: text(answer.kept_headers.0),
                    functionError: text(answer.kept_headers.1)))
        case CCURL_TIMED_OUT: return .failed(code: "timeout", message: message)
        case CCURL_UNRESOLVED: return .failed(code: "dns", message: message)
        case CCURL_UNCONNECTED: return .failed(code: "connect", message: message)
        case CCURL_TLS_FAILED: return .failed(code: "tls", message: TLSWords.text(message, host: endpoint?.authority))
        case CCURL_NO_HTTP: return .failed(code: "transfer", message: HTTPWords.noHTTP(host, isTLS: isTLS))
        case CCURL_UNANSWERED:
            return .failed(code: "transfer", message: HTTPWords.unanswered(host, isTLS: isTLS, message))
        default: return .failed(code: "transfer", message: message)
        }
    }

    private static func cString(_ text: StaticString) -> UnsafePointer<CChar> {
        UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
