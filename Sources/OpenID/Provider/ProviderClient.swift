import HTTPClient
import Synchronization

/// Requests to the provider. Each goes on to its end, also where its caller has left: others wait for the same
/// document, and a code works once.
///
/// Documents have requesters of their own, so that exchanges of codes never delay the keys: the discovery document and
/// the keys are each fetched once at a time (``SharedFetch``).
final class ProviderClient: Sendable {
    private let exchanges: RequesterPool
    private let documents: RequesterPool
    private let caFile: String?
    private let monotonic: @Sendable () -> Int64

    /// Makes a client.
    /// - Parameter monotonic: Milliseconds of a clock that is never set.
    /// - Returns: Nil where libcurl cannot start.
    init?(userAgent: String, caFile: String?, monotonic: @escaping @Sendable () -> Int64) {
        // A request waits for at most one other: with the timeout this is how long it waits at most.
        guard let exchanges = RequesterPool(userAgent: userAgent, threads: 16, most: SignInShares.all),
            let documents = RequesterPool(userAgent: userAgent, threads: 2, most: 2)
        else { return nil }
        self.exchanges = exchanges
        self.documents = documents
        self.caFile = caFile
        self.monotonic = monotonic
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
                action = fetch.next(
                    await send(request, url, by: documents, timeout: left, keeping: [DocumentFetch.location]))
            }
        }
    }

    /// Posts a form.
    func post(_ form: TokenRequest) async -> Outcome {
        let request = SigV4.Request(
            method: "POST", path: form.url.path, query: form.url.query, headers: form.headers, body: form.body)
        return await send(request, form.url, by: exchanges, timeout: DocumentFetch.timeout, keeping: [])
    }

    private func send(
        _ request: SigV4.Request, _ url: ProviderURL, by pool: RequesterPool, timeout: Int64,
        keeping headers: [String]
    ) async -> Outcome {
        var call = Call(
            request: request, endpoint: url.endpoint, region: "", service: nil, timeout: timeout,
            answerLimit: DocumentFetch.maxBytes)
        call.keptHeaders = headers
        call.caFile = caFile
        return await pool.send(call, request.headers.map { "\($0.name): \($0.value)" } + ["expect:"])
    }
}

/// Requesters that share the requests of one kind.
private final class RequesterPool: Sendable {
    private let requesters: [HTTPRequester]
    private let most: Int
    /// Requests of each requester.
    private let load: Mutex<[Int]>

    /// Makes a pool.
    /// - Parameters:
    ///   - threads: Requests at once.
    ///   - most: Requests that are under way or wait for a thread.
    /// - Returns: Nil where libcurl cannot start.
    init?(userAgent: String, threads: Int, most: Int) {
        let requesters = (0..<threads).compactMap { _ in HTTPRequester(userAgent: userAgent) }
        guard requesters.count == threads else { return nil }
        self.requesters = requesters
        self.most = most
        load = Mutex(Array(repeating: 0, count: threads))
    }

    func send(_ call: Call, _ lines: [String]) async -> Outcome {
        guard let index = admit() else {
            return .failed(code: "busy", message: "\(most) requests are under way already")
        }
        defer { load.withLock { $0[index] -= 1 } }
        return await requesters[index].sendToEnd(call, lines)
    }

    /// The requester with the fewest requests; nil where all together have too many.
    private func admit() -> Int? {
        load.withLock { load in
            guard load.reduce(0, +) < most, let index = load.indices.min(by: { load[$0] < load[$1] }) else {
                return nil
            }
            load[index] += 1
            return index
        }
    }
}
