import CrowbarCore
import CrowbarTesting
import HTTPTypes
import JSONBytes
import NIOHTTP1
import Testing

@testable import CrowbarCore
@testable import CrowbarHTTP

/// The document `openapi.json` says of the API what the code does. That the server answers as the document says is
/// checked by schemathesis (`Tests/EndToEndTests/openapi_check.py`).
@Suite struct OpenAPIDocumentTests {
    private static let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]

    private let document: JSON
    private let paths: [JSON.Member]

    init() throws {
        document = try JSON(parsing: OpenAPIRoute.document)
        paths = try #require(document["paths"]?.members)
    }

    // MARK: Routes

    @Test func itHasTheRoutesOfTheTCPListenerInTheirOrder() {
        let documented = paths.map { path in
            "\(path.key) " + Self.methods(of: path.value).sorted().joined(separator: " ")
        }
        let served = RouteTable.routes.map { route in
            "\(route.template) " + route.methods.map { $0.rawValue.lowercased() }.sorted().joined(separator: " ")
        }
        #expect(documented.sorted() == served.sorted())
        #expect(documented.first?.hasPrefix(OpenAPIRoute.path) == true)
    }

    /// The calls about accounts need a session; it has a rate, which the others would exceed.
    private static func token(_ path: String) -> String {
        AdminRoutes.isAboutAccounts(path[...]) || AccountRoutes.handles(path[...]) ? "console" : "root"
    }

    /// A path of each route, with values that exist in a test server for its parameters.
    private static let routes = RouteTable.routes.map { route in
        let values = [
            "{channelId}": "general", "{token}": "ci-token", "{plugin}": "irc", "{queue}": "libera", "{userId}": "root",
            "{tokenId}": "0123456789abcdef", "{inviteId}": "0123456789abcdef", "{hook}": "ci",
        ]
        let path = values.reduce(route.template) { path, value in
            path.split(separator: value.key, omittingEmptySubsequences: false).joined(separator: value.value)
        }
        return (path: path, methods: route.methods.map(\.rawValue))
    }

    @Test func everyRouteIsServedAndNoOtherMethod() async throws {
        let folder = try TemporaryFolder()
        try await TestServer.run(
            plugins: PluginRoutesTests.actions, views: .following, configure: { try $0.addAccounts(in: folder) }
        ) { server in
            try await server.seed()
            for (path, methods) in Self.routes where path != "/api/events/stream" {
                for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                    let answer = try await server.client.call(
                        HTTPMethod(rawValue: method), path, token: Self.token(path))
                    if methods.contains(method) {
                        #expect(answer.status != 405, "\(method) \(path): \(answer.text)")
                        #expect(!answer.text.contains("there is nothing at"), "\(method) \(path)")
                    } else {
                        #expect(answer.status == 405, "\(method) \(path): \(answer.text)")
                        #expect(answer.headers["allow"] == [methods.joined(separator: ", ")], "\(method) \(path)")
                    }
                }
            }
        }
    }

    @Test func nothingElseIsServed() async throws {
        let folder = try TemporaryFolder()
        try await TestServer.run(
            plugins: PluginRoutesTests.actions, views: .following, configure: { try $0.addAccounts(in: folder) }
        ) { server in
            for path in [
                "/nothing", "/api", "/api/", "/api/command", "/api/commands/", "/api/events/", "/views/allchannels",
                "/views/.json", "/views/channel/.json", "/views/channel/a/b.json", "/api/admin", "/api/admin/",
                "/api/admin/plugins/", "/api/admin//plugins", "/api/admin/plugins//start",
                "/api/admin/plugins/irc/start/", "/api/admin/cursors", "/api/admin/cursors/a/b/c",
                "/api/admin/users/", "/api/admin/users/x/link", "/api/admin/tokens/a/b", "/api/admin/hooks/",
                "/api/admin/setup-link", "/api/admin/status", "/api/admin/channels", "/api/tokens/", "/api/tokens/a/b",
                "/api/admin/views", "/api/admin/erase/message",
            ] {
                for method in [HTTPMethod.GET, .POST] {
                    let answer = try await server.client.call(method, path, token: "root")
                    #expect(answer.status == 404 && answer.code == "not_found", "\(method) \(path): \(answer.text)")
                    #expect(answer.text.contains("there is nothing at"), "\(method) \(path): \(answer.text)")
                }
            }
            // The rest of a hook's path is its secret, and no answer repeats it.
            let hook = try await server.client.call(.POST, "/hooks/ci-token/more")
            #expect(hook.status == 404)
            #expect(!hook.text.contains("ci-token"))
        }
    }

    /// The refusal of an unknown parameter lists those that there are.
    @Test func parametersAreTheOnesThatTheRoutesKnow() async throws {
        let expected = try Self.routes.flatMap { path, methods in
            let template = try #require(RouteTable.route(of: path[...])).template
            return try methods.map { method in
                let parameters = try parameters(of: template, method.lowercased())
                let known = parameters.filter { $0["in"]?.string == "query" }.compactMap { $0["name"]?.string }
                return (method: method, path: path, known: known.sorted())
            }
        }
        // These ignore parameters: clients add their own to them.
        let tolerant = ["/api/openapi.json", "/api/commands", "/api/read", "/healthz", "/readyz", "/hooks/ci-token"]
        let folder = try TemporaryFolder()
        try await TestServer.run(
            plugins: PluginRoutesTests.actions, views: .following, configure: { try $0.addAccounts(in: folder) }
        ) { server in
            for (method, path, known) in expected where !tolerant.contains(path) {
                let answer = try await server.client.call(
                    HTTPMethod(rawValue: method), path + "?bogus=1", token: Self.token(path))
                #expect(answer.status == 422 && answer.field == "bogus", "\(method) \(path): \(answer.text)")
                let message = try JSON(parsing: answer.body)["error"]?["message"]?.string ?? ""
                let names = message.split(separator: "there are ").dropFirst().first?.split(separator: ", ")
                let others = (names ?? []).map(String.init).filter { $0 != "none" }
                #expect(others.sorted() == known, "\(method) \(path): \(message)")
            }
        }
        for path in tolerant {
            let entry = try #require(expected.first { $0.path == path })
            #expect(entry.known.isEmpty, "\(path)")
        }
    }

    // MARK: Commands, events, errors

    @Test func everyCommandHasItsSchema() throws {
        let command = try schema("Command")
        let mapping = try #require(command["discriminator"]?["mapping"]?.members)
        #expect(mapping.map(\.key).sorted() == CommandType.allCases.map(\.rawValue).sorted())
        #expect(command["oneOf"]?.array?.compactMap { $0["$ref"]?.string } == mapping.compactMap(\.value.string))
        for entry in mapping {
            let type = try #require(CommandType(rawValue: entry.key))
            let schema = try resolved(.object([.init("$ref", entry.value)]))
            #expect(schema["properties"]?["type"]?["const"]?.string == type.rawValue)
            let fields =
                ["type", "eventId", "userId", "meta", "timestamp"] + type.ownFields.map(\.description)
                + (type.hasChannel ? ["channelId"] : [])
            let documented = schema["properties"]?.members?.map(\.key) ?? []
            #expect(documented.sorted() == fields.sorted(), "\(type)")
            #expect(schema["additionalProperties"]?.bool == false, "\(type)")
        }
    }

    @Test func itHasTheVersionOfTheServer() {
        #expect(document["info"]?["version"]?.string == CrowbarVersion.current)
    }

    @Test func everyEventTypeIsInIt() throws {
        #expect(try strings("EventType") == EventType.allCases.map(\.name))
    }

    @Test func everyErrorCodeIsInItWithItsStatus() throws {
        let codes = CommandError.Code.allCases
        #expect(try strings("ErrorCode").sorted() == codes.map(\.rawValue).sorted())
        let responses = try #require(document["components"]?["responses"]?.members)
        /// The codes of a response.
        func listed(in response: JSON) -> [String] {
            let content = response["content"]?["application/json"]?["schema"]?["allOf"]?.array
            let error = content?.last?["properties"]?["error"]?["properties"]
            return error?["code"]?["enum"]?.array?.compactMap(\.string) ?? []
        }
        // Which status a response has is in the operations that refer to it.
        var statuses: [String: Set<String>] = [:]
        for path in paths {
            for method in path.value.members ?? [] {
                for response in method.value["responses"]?.members ?? [] {
                    guard let reference = response.value["$ref"]?.string else { continue }
                    statuses[String(reference.split(separator: "/").last ?? ""), default: []].insert(response.key)
                }
            }
        }
        for code in codes {
            let names = responses.filter { $0.key != "MethodNotAllowed" }
                .filter { listed(in: $0.value).contains(code.rawValue) }.map(\.key)
            #expect(names.count == 1, "\(code.rawValue)")
            let status = APIFailure.status(of: code).code
            #expect(statuses[names.first ?? ""] == ["\(status)"], "\(code.rawValue)")
        }
    }

    // MARK: Limits

    @Test func lengthsAreThoseOfTheCode() throws {
        let lengths = [
            "DisplayName": Command.Limit.name, "Topic": Command.Limit.topic, "MessageText": Command.Limit.message,
            "MessageReference": Identifier.maxLength, "Reaction": Reaction.maxLength,
        ]
        for (name, length) in lengths { #expect(try schema(name)["maxLength"]?.int == Int64(length), "\(name)") }
        let hook = try schema("HookMessage")
        #expect(hook["properties"]?["username"]?["maxLength"]?.int == Int64(HookRoute.maxUserName))
        #expect(try schema("Command")["description"]?.string?.contains("\(Command.Limit.depth) levels") == true)
        let words = try parametersOfGet("/views/search.json").first { $0["name"]?.string == "q" }
        #expect(words?["schema"]?["maxLength"]?.int == Int64(APIConfiguration.Limit.searchQuery))
    }

    @Test func pagesAreThoseOfTheCode() async throws {
        typealias Limit = APIConfiguration.Limit
        let events = try limit("/api/events")
        #expect(events == [Int64(Limit.page), Int64(Limit.maxPage)])
        let lines = try parametersOfGet("/api/admin/plugins/{plugin}/logs").first { $0["name"]?.string == "lines" }
        #expect(lines?["schema"]?["maximum"]?.int == Int64(PluginActions.maxLines))
        #expect(lines?["schema"]?["default"]?.int == Int64(PluginActions.lines))
        // The limits of views stand where they are read: at the limit a call is accepted, beyond it not.
        var limits: [(path: String, most: Int64)] = []
        for (path, _) in Self.routes where path.hasPrefix("/views/") {
            let template = try #require(RouteTable.route(of: path[...])).template
            guard let most = try limit(template)?.last else { continue }
            limits.append((path, most))
        }
        let known = limits
        #expect(known.count == 5)
        try await TestServer.run(views: .following) { server in
            try await server.seed()
            for (path, most) in known {
                for (number, status) in [("1", 200), ("\(most)", 200), ("0", 422), ("\(most + 1)", 422), ("+1", 422)] {
                    let query = "?q=word&limit=\(number)".dropFirst(path.contains("search") ? 0 : 8)
                    let target = path + (query.hasPrefix("?") ? "" : "?") + query
                    try await waitUntil("\(target) is built") {
                        try await server.client.call(.GET, target, token: "alice").status != 503
                    }
                    let answer = try await server.client.call(.GET, target, token: "alice")
                    #expect(answer.status == status, "\(target): \(answer.text)")
                }
            }
        }
    }

    // MARK: The route

    @Test func theDocumentIsServedWithoutATokenAndOnceForEachVersion() async throws {
        try await TestServer.run { server in
            let answer = try await server.client.call(.GET, OpenAPIRoute.path)
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == ["application/json"])
            #expect(answer.headers["cache-control"] == ["public, no-cache"])
            #expect(answer.body.dropLast() == OpenAPIRoute.document[...])
            let tag = try #require(answer.headers["etag"].first)
            let known = try await server.client.call(.GET, OpenAPIRoute.path, headers: [("if-none-match", tag)])
            #expect(known.status == 304)
            #expect(known.body.isEmpty)
            #expect(known.headers["etag"] == [tag])
            let other = try await server.client.call(.GET, OpenAPIRoute.path, headers: [("if-none-match", "\"0\"")])
            #expect(other.status == 200)
        }
    }

    // MARK: Reading the document

    private static func methods(of path: JSON) -> [String] {
        (path.members ?? []).map(\.key).filter { methods.contains($0) }
    }

    private func schema(_ name: String) throws -> JSON {
        try #require(document["components"]?["schemas"]?[name])
    }

    private func strings(_ name: String) throws -> [String] {
        try schema(name)["enum"]?.array?.compactMap(\.string) ?? []
    }

    /// A value, or what it refers to.
    private func resolved(_ value: JSON) throws -> JSON {
        guard let reference = value["$ref"]?.string else { return value }
        return try reference.split(separator: "/").dropFirst().reduce(document) { node, key in
            try #require(node[String(key)], "\(reference)")
        }
    }

    private func parametersOfGet(_ path: String) throws -> [JSON] { try parameters(of: path, "get") }

    private func parameters(of path: String, _ method: String) throws -> [JSON] {
        let operation = try #require(paths.first { $0.key == path }?.value[method], "\(method) \(path)")
        return try (operation["parameters"]?.array ?? []).map { try resolved($0) }
    }

    /// The usual and the highest `limit` of a path; nil if it has none.
    private func limit(_ path: String) throws -> [Int64]? {
        guard let schema = try parametersOfGet(path).first(where: { $0["name"]?.string == "limit" })?["schema"] else {
            return nil
        }
        #expect(schema["minimum"]?.int == 1)
        return [schema["default"]?.int, schema["maximum"]?.int].compactMap(\.self)
    }
}
