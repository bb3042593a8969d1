import CCurl

/// One request on its way, and what is to be done with its answer. Belongs to the thread of its multi handle.
package final class HTTPExchange<Purpose> {
    /// What is to be done with the answer.
    package let purpose: Purpose
    /// When it began, in milliseconds of the caller's clock.
    package let startedAt: Int64
    private var call: Call?
    private var transfer: HTTPTransfer?

    package init(_ purpose: Purpose, at now: Int64) {
        self.purpose = purpose
        startedAt = now
    }

    /// Starts the request; false: libcurl refused it. The exchange must live until ``ended(on:)`` has returned it or
    /// ``cancel(on:)`` was called.
    /// - Parameter userAgent: What the program calls itself.
    package func start(_ call: Call, _ lines: [String], userAgent: String, on multi: OpaquePointer) -> Bool {
        self.call = call
        transfer = HTTPTransfer(
            HTTPTransfer.Target(call, userAgent: userAgent), headers: HeaderLines(lines),
            context: Unmanaged.passUnretained(self).toOpaque())
        return transfer?.send(call.request.body, HeaderLines([]), on: multi) ?? false
    }

    /// Gives up a request that has not ended.
    package func cancel(on multi: OpaquePointer) {
        transfer?.cancel(on: multi)
        transfer = nil
    }

    /// The next exchange that has ended, and how.
    package static func ended(on multi: OpaquePointer) -> (HTTPExchange, Outcome)? {
        var result = ccurl_result()
        while let context = ccurl_multi_next(multi, &result) {
            // The context is an exchange that the thread keeps until it is handed back here. All of one multi handle
            // have the same purpose.
            let exchange = Unmanaged<HTTPExchange>.fromOpaque(context).takeUnretainedValue()
            guard let call = exchange.call, let transfer = exchange.transfer else { continue }
            // The same try on a new connection, as the kept one was of no use.
            if result.kind == CCURL_STALE, transfer.sendAgain(on: multi) { continue }
            let outcome = Outcome(result, of: call.endpoint, keptHeaders: call.keptHeaders, body: transfer.answer)
            exchange.transfer = nil
            return (exchange, outcome)
        }
        return nil
    }
}
