import CrowbarTesting
import HTTPClient
import JSONBytes

@testable import CrowbarViews

/// A bucket of its own, `bucket_world.py`.
struct BucketWorld {
    /// One request of the publisher.
    struct Request: Equatable {
        var method: String
        var target: String
        var isSigned: Bool
        var status: Int64
        var condition: String?
    }

    /// An object as a reader gets it.
    struct Object: Equatable {
        var body: String
        var position: String?
        var type: String?
        var cache: String?
    }

    static let name = "chat-views"
    static let variables = ["AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "own/secret+"]

    let port: Int64
    private let process: LineProcess

    init() async throws {
        let folder = String(#filePath.dropLast("BucketWorld.swift".count))
        process = try LineProcess(
            folder + "../../.build/test-python/bin/python", arguments: ["-I", folder + "bucket_world.py"])
        port = try await process.first(
            "moto's port (script/bootstrap --tests installs Tests/AWSTests/requirements.txt)", within: .seconds(60)
        ) { try JSON(parsing: $0)["port"]?.int }
    }

    var url: String { "http://127.0.0.1:\(port)" }

    /// The bucket as a target.
    func bucket(prefix: String) throws -> Bucket {
        guard let endpoint = ServiceEndpoint(url) else {
            throw ConformanceFailure("\(url) is no endpoint", line: #line)
        }
        return Bucket(name: Self.name, prefix: prefix, region: "eu-central-1", endpoint: endpoint)
    }

    /// A store of the bucket, with its credentials.
    func store(prefix: String, variables: [String: String] = Self.variables) throws -> BucketStore {
        guard let requester = HTTPRequester(userAgent: "crowbar/1") else {
            throw ConformanceFailure("libcurl does not start", line: #line)
        }
        let surroundings = Surroundings(variable: { variables[$0] }, file: { _ in nil })
        return BucketStore(
            try bucket(prefix: prefix),
            AWSClient(CredentialSettings(), surroundings, requester, now: { MonotonicClock.unixSeconds() }))
    }

    private func order(_ members: JSON.Member...) async throws {
        try await process.send(line: JSON.object(members).bytes)
    }

    private func done() async throws {
        let _: Bool = try await process.first("an answer", within: .seconds(30)) { try JSON(parsing: $0)["done"]?.bool }
    }

    func get(_ key: String) async throws -> Object? {
        try await order(.init("get", .string(key)))
        return try await process.first("the object \(key)", within: .seconds(30)) { line -> Object?? in
            guard let object = try JSON(parsing: line)["object"] else { return nil }
            guard let body = object["body"]?.string else { return .some(nil) }
            return Object(
                body: body, position: object["position"]?.string, type: object["type"]?.string,
                cache: object["cache"]?.string)
        }
    }

    func keys() async throws -> [String] {
        try await order(.init("list", .bool(true)))
        return try await process.first("the keys", within: .seconds(30)) {
            try JSON(parsing: $0)["keys"]?.array?.compactMap(\.string)
        }
    }

    func put(_ key: String, _ body: String, position: String?) async throws {
        let members = [JSON.Member("put", .string(key)), .init("body", .string(body))]
        try await process.send(
            line: JSON.object(members + (position.map { [.init("position", .string($0))] } ?? [])).bytes)
        try await done()
    }

    func delete(_ key: String) async throws {
        try await order(.init("delete", .string(key)))
        try await done()
    }

    /// Closes its door.
    func stop() async throws {
        try await order(.init("stop", .bool(true)))
        try await done()
    }

    /// Opens its door again.
    func start() async throws {
        try await order(.init("start", .bool(true)))
        try await done()
    }

    /// Has the next requests fail.
    func fail(_ status: Int64, code: String, message: String = "no", times: Int64 = 1) async throws {
        try await order(
            .init("fail", .int(status)), .init("code", .string(code)), .init("message", .string(message)),
            .init("times", .int(times)))
        try await done()
    }

    /// The next request of the publisher.
    func request(where isMeant: (Request) -> Bool = { _ in true }) async throws -> Request {
        try await process.first("a request", within: .seconds(30)) { line in
            guard let json = try JSON(parsing: line)["request"] else { return nil }
            let condition =
                json["if-match"]?.string ?? json["if-none-match"]?.string.map { "none \($0)" }
            let request = Request(
                method: json["method"]?.string ?? "", target: json["target"]?.string ?? "",
                isSigned: json["signed"]?.bool ?? false, status: json["status"]?.int ?? 0, condition: condition)
            return isMeant(request) ? request : nil
        }
    }

    /// Takes all requests that came.
    func requests() async throws -> [Request] {
        var found: [Request] = []
        while process.unread.contains(where: { String(decoding: $0, as: UTF8.self).contains(#""request""#) }) {
            found.append(try await request())
        }
        return found
    }
}
