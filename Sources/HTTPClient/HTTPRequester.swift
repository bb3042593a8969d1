import CCurl
import Dispatch
import Synchronization

/// Makes requests one after the other on a thread of its own, for callers that wait for the answer.
package final class HTTPRequester: Sendable {
    /// Connections that are kept open for the next request, at most.
    private static let maxIdle = 2
    /// How long one wait for the network takes at most, in milliseconds.
    private static let pollInterval: Int32 = 1000

    private let multi: CurlMulti
    private let queue: DispatchQueue
    private let userAgent: String

    /// Makes a requester. It keeps its connections as long as the process lives.
    /// - Parameter userAgent: What the program calls itself.
    /// - Returns: nil where libcurl cannot start.
    package init?(userAgent: String) {
        guard let multi = CurlMulti(maxIdle: Self.maxIdle) else { return nil }
        self.multi = multi
        self.userAgent = userAgent
        queue = DispatchQueue(label: "crowbar.http")
    }

    /// Makes a request; a task that is cancelled gives it up.
    /// - Parameter lines: The request's header lines, as of ``Call/lines(_:at:)``.
    package func send(_ call: Call, _ lines: [String]) async -> Outcome {
        let cancellation = Cancellation()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                queue.async { [self] in continuation.resume(returning: perform(call, lines, cancellation)) }
            }
        } onCancel: {
            cancellation.isCancelled.store(true, ordering: .releasing)
            multi.wakeUp()
        }
    }

    private final class Cancellation: Sendable {
        let isCancelled = Atomic(false)
    }

    /// Makes a request, and waits for its end whatever becomes of the task: for an answer that others wait for too. The
    /// call's timeout is the limit.
    package func sendToEnd(_ call: Call, _ lines: [String]) async -> Outcome {
        await withCheckedContinuation { continuation in
            queue.async { [self] in continuation.resume(returning: perform(call, lines, Cancellation())) }
        }
    }

    private func perform(_ call: Call, _ lines: [String], _ cancellation: Cancellation) -> Outcome {
        // One request is made at a time, so what has ended is this one, whatever the context is.
        let context = Unmanaged.passUnretained(self).toOpaque()
        let target = HTTPTransfer.Target(call, userAgent: userAgent)
        guard let transfer = HTTPTransfer(target, headers: HeaderLines(lines), context: context),
            transfer.send(call.request.body, HeaderLines([]), on: multi.pointer)
        else { return .failed(code: "transfer", message: "libcurl refused the request") }
        var result = ccurl_result()
        while true {
            if cancellation.isCancelled.load(ordering: .acquiring) {
                transfer.cancel(on: multi.pointer)
                return .failed(code: "cancelled", message: "the request was given up")
            }
            ccurl_multi_perform(multi.pointer)
            if ccurl_multi_next(multi.pointer, &result) == nil {
                ccurl_multi_poll(multi.pointer, Self.pollInterval)
            } else if result.kind != CCURL_STALE || !transfer.sendAgain(on: multi.pointer) {
                return Outcome(
                    result, of: call.endpoint, keptHeaders: call.keptHeaders, body: transfer.answer)
            }
            // Else the kept connection was of no use: the same request goes out on a new one.
        }
    }
}
