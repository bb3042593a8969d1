import HTTPClient
import Synchronization

/// Requests to the provider. Each goes on to its end, also where its caller has left: others wait for the same
/// document, and a code works once.
final class ProviderClient: Sendable {
    /// Requests at once.
    private static let threads = 16
    /// Requests that are under way or wait for a thread. With the timeout this is how long one waits at most.
    private static let maxRequests = 32

    private let requesters: [HTTPRequester]
    private let caFile: String?
    private let monotonic: @Sendable () -> Int64
    /// Requests of each requester.
    private let load: Mutex<[Int]>

    /// Makes a client.
    /// - Parameter monotonic: Milliseconds of a clock that is never set.
    /// - Returns: Nil where libcurl cannot start.
    init?(userAgent: String, caFile: String?, monotonic: @escaping @Sendable () -> Int64) {
        let requesters = (0..<Self.threads).compactMap { _ in HTTPRequester(userAgent: userAgent) }
        guard requesters.count == Self.threads else { return nil }
        self.requesters = requesters
        self.caFile = caFile
        self.monotonic = monotonic
        load = Mutex(Array(repeating: 0, count: Self.threads))
    }

    /// Gets a document.
    func document(_ url: ProviderURL) async -> Result<[UInt8], ProviderFailure> {
        let deadline = monotonic() + DocumentFetch.timeout
        var fetch = DocumentFetch(url)
        var action = fetch.first
        while true {
            switch action {
            case .end(let result): return result
            case .get(let url):
                let request = SigV4.Request(
                    method: "GET", path: url.path, query: url.query, headers: [("accept", "application/json")])
                let left = max(1, deadline - monotonic())
                action = fetch.next(await send(request, url, timeout: left, keeping: [DocumentFetch.location]))
            }
        }
    }

    /// Posts a form.
    func post(_ form: TokenRequest) async -> Outcome {
        let request = SigV4.Request(
            method: "POST", path: form.url.path, query: form.url.query, headers: form.headers, body: form.body)
        return await send(request, form.url, timeout: DocumentFetch.timeout, keeping: [])
    }

    private func send(
        _ request: SigV4.Request, _ url: ProviderURL, timeout: Int64, keeping headers: [String]
    ) async -> Outcome {
        var call = Call(
            request: request, endpoint: url.endpoint, region: "", service: nil, timeout: timeout,
            answerLimit: DocumentFetch.maxBytes)
        call.keptHeaders = headers
        call.caFile = caFile
        guard let index = admit() else {
            return .failed(code: "busy", message: "\(Self.maxRequests) requests are under way already")
        }
        defer { load.withLock { $0[index] -= 1 } }
        let lines = request.headers.map { "\($0.name): \($0.value)" } + ["expect:"]
        return await requesters[index].sendToEnd(call, lines)
    }

    /// The requester with the fewest requests; nil where all together have too many.
    private func admit() -> Int? {
        load.withLock { load in
            guard load.reduce(0, +) < Self.maxRequests,
                let index = load.indices.min(by: { load[$0] < load[$1] })
            else { return nil }
            load[index] += 1
            return index
        }
    }
}
