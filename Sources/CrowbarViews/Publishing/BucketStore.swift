import HTTPClient
import OpenSSL

/// A bucket of S3, or of a store that is compatible with it.
final class BucketStore: PublishStore {
    /// The metadata that says of which position an object is.
    static let positionHeader = "x-amz-meta-crowbar-position"
    /// The time for one request, in milliseconds.
    private static let timeout: Int64 = 30_000
    /// Bytes of an answer that are read: a page of a listing has a thousand objects.
    private static let answerLimit = 4 << 20
    /// Pages of a listing that are read at most.
    private static let maxPages = 2_000

    /// A listing costs requests, which the store may charge for.
    let verifyInterval: Int64 = 300_000

    private let bucket: Bucket
    private let client: AWSClient

    init(_ bucket: Bucket, _ client: AWSClient) {
        self.bucket = bucket
        self.client = client
    }

    func write(_ file: PublishedFile, _ body: [UInt8], position: Int64, replacing tag: String?) async -> PublishResult {
        var update = ObjectUpdate(writing: position, replacing: tag)
        return await run(&update, file, body, position)
    }

    func delete(_ file: PublishedFile, position: Int64) async -> PublishResult {
        var update = ObjectUpdate(deleting: position)
        return await run(&update, file, [], position)
    }

    private func run(
        _ update: inout ObjectUpdate, _ file: PublishedFile, _ body: [UInt8], _ position: Int64
    ) async -> PublishResult {
        var request = update.first
        while true {
            switch update.next(await answer(request, file, body, position)) {
            case .send(let next): request = next
            case .end(let result): return result
            }
        }
    }

    private func answer(
        _ request: ObjectUpdate.Request, _ file: PublishedFile, _ body: [UInt8], _ position: Int64
    ) async -> ObjectUpdate.Answer {
        let call =
            switch request {
            case .head: self.call("HEAD", key(file.path))
            case .delete: self.call("DELETE", key(file.path))
            case .put(let tag):
                self.call(
                    "PUT", key(file.path),
                    headers: [
                        ("content-type", "application/json"), ("cache-control", "no-cache"),
                        (Self.positionHeader, String(position)), tag.map { ("if-match", $0) } ?? ("if-none-match", "*"),
                    ], body: body)
            }
        do throws(CredentialProblem) {
            switch try await client.send(call) {
            case .failed(let code, let message): return .none(PublishFailure(message, code: code))
            case .answered(let answer):
                let error = ServiceError(answer)
                return .status(
                    answer.status, code: error.code, text: await client.masked("\(error)"), tag: answer.headers["etag"],
                    position: answer.headers[Self.positionHeader].flatMap { Int64($0) })
            }
        } catch { return .none(Self.failure(error)) }
    }

    // MARK: Listing

    func list(of log: String) async throws -> [PublishedFile: String?] {
        var found: [PublishedFile: String?] = [:]
        do {
            for begin in ["all"] + PublishedFile.folders.map({ $0 + "/" }) { try await list(begin, &found) }
        } catch let problem as CredentialProblem {
            throw Self.failure(problem)
        }
        return found
    }

    /// Lists the objects whose keys begin so, in pages.
    private func list(_ begin: String, _ found: inout [PublishedFile: String?]) async throws {
        var last: String?
        for _ in 0..<Self.maxPages {
            var query = "list-type=2&prefix=\(PercentEncoding.encode(key(begin)))"
            if let last { query += "&start-after=\(PercentEncoding.encode(last))" }
            let answer: Outcome.Answer
            switch try await client.send(call("GET", "", query: query)) {
            case .failed(let code, let message): throw PublishFailure(message, code: code)
            case .answered(let answered): answer = answered
            }
            guard answer.isSuccess else {
                let error = ServiceError(answer)
                let code = error.code.isEmpty ? "\(error.status)" : error.code
                throw PublishFailure(await client.masked("\(error)"), code: code)
            }
            let text = answer.text
            guard !answer.wasCut, text.contains("ListBucketResult") else {
                throw PublishFailure("the store's list of objects cannot be read")
            }
            let start = last
            for element in XMLText.elements("Contents", in: text) {
                guard let key = XMLText.first("Key", in: element) else { continue }
                last = key
                let path = bucket.prefix.isEmpty ? key[...] : key.dropFirst(bucket.prefix.utf8.count + 1)
                if let file = PublishedFile(path) { found[file] = .some(XMLText.first("ETag", in: element)) }
            }
            if XMLText.first("IsTruncated", in: text) != "true" { return }
            if last == start { throw PublishFailure("the store's list of objects does not end") }
        }
        throw PublishFailure("there are too many objects below s3://\(bucket.name)/\(key(begin))")
    }

    // MARK: Requests

    private func key(_ path: String) -> String { bucket.prefix.isEmpty ? path : "\(bucket.prefix)/\(path)" }

    private func call(
        _ method: String, _ key: String, query: String = "", headers: [SigV4.Request.Header] = [], body: [UInt8] = []
    ) -> Call {
        let (endpoint, path) = bucket.place
        let hash: SigV4.Request.Header = ("x-amz-content-sha256", SigV4.hex(SHA256.hash(body)))
        var call = Call(
            request: SigV4.Request(
                method: method, path: "\(path)/\(PercentEncoding.encode(key, slash: false))", query: query,
                headers: [hash] + headers, body: body),
            endpoint: endpoint, region: bucket.region, service: "s3", timeout: Self.timeout,
            answerLimit: Self.answerLimit)
        call.keptHeaders = ["etag", Self.positionHeader]
        call.addresses = .endpoint(isNamed: bucket.endpoint != nil)
        return call
    }

    private static func failure(_ problem: CredentialProblem) -> PublishFailure {
        PublishFailure("no credentials for S3: \(problem.message)", code: "credentials")
    }
}
