import CrowbarCore
import CrowbarHTTP
import CrowbarPage
import NIOHTTP1
import Testing

/// The web page's files, as they are served.
@Suite struct PageRouteTests {
    private static let module = "/p/\(PageFiles.release)/app.js"

    @Test func theIndexIsAskedForEachTime() async throws {
        try await TestServer.run { server in
            for path in ["/", "/index.html"] {
                let answer = try await server.client.call(.GET, path)
                #expect(answer.status == 200)
                #expect(answer.headers["content-type"] == ["text/html; charset=utf-8"])
                #expect(answer.headers["cache-control"] == ["no-cache"])
                #expect(answer.headers["x-content-type-options"] == ["nosniff"])
                #expect(
                    answer.headers["content-security-policy"] == [
                        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                            + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
                    ])
                #expect(answer.text.contains("p/\(PageFiles.release)/app.js"))
                let tag = try #require(answer.headers.first(name: "etag"))
                let again = try await server.client.call(.GET, path, headers: [("if-none-match", tag)])
                #expect(again.status == 304 && again.body.isEmpty)
            }
            // A query, as an identity provider adds one, does not matter.
            let returned = try await server.client.call(.GET, "/?code=x&state=y")
            #expect(returned.status == 200)
        }
    }

    @Test func whatTheIndexNamesMayBeKeptForever() async throws {
        try await TestServer.run { server in
            for file in PageFiles.all where file.path != "index.html" {
                let answer = try await server.client.call(.GET, "/p/\(PageFiles.release)/\(file.path)")
                #expect(answer.status == 200 && answer.text == "\(file.text)", "\(file.path)")
                #expect(answer.headers["cache-control"] == ["public, max-age=31536000, immutable"])
                guard file.path.hasSuffix(".js") else { continue }
                #expect(answer.headers["content-type"] == ["text/javascript; charset=utf-8"])
            }
            let other = try await server.client.call(.GET, "/p/0000000000000000/app.js")
            #expect(other.status == 404 && other.headers["cache-control"] == ["no-store"])
            let outside = try await server.client.call(.GET, "/p/\(PageFiles.release)/../app.js")
            #expect(outside.status == 404)
        }
    }

    @Test func headHasTheHeadersOfGet() async throws {
        try await TestServer.run { server in
            for path in ["/", Self.module, "/config.json"] {
                let get = try await server.client.call(.GET, path)
                let head = try await server.client.call(.HEAD, path)
                #expect(head.status == 200 && head.body.isEmpty)
                #expect(head.headers["content-length"] == ["\(get.body.count)"])
                #expect(head.headers["etag"] == get.headers["etag"])
            }
            let post = try await server.client.call(.POST, "/")
            #expect(post.status == 405 && post.headers["allow"] == ["GET, HEAD"])
        }
    }

    /// Else a client takes the body of a refusal for the beginning of the next answer.
    @Test(arguments: ["/nope", "/api/events", "/api/commands", "/views/allchannels.json", "/healthz"])
    func noAnswerToHeadHasABody(_ path: String) async throws {
        try await TestServer.run { server in
            let both = try await RawClient(port: server.client.port).send(
                "HEAD \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    + "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            let parts = both.split(separator: "\r\n\r\n", maxSplits: 1)
            #expect(parts.count == 2 && parts[0].hasPrefix("HTTP/1.1 4"), "\(both)")
            #expect(parts.last?.hasPrefix("HTTP/1.1 200") == true, "\(both)")
        }
    }

    @Test func theConfigurationNamesTheOwnOrigin() async throws {
        try await TestServer.run { server in
            let answer = try await server.client.call(.GET, "/config.json")
            #expect(answer.text == "{\"api\":\"\"}\n")
            #expect(answer.headers["content-type"] == ["application/json"])
            #expect(answer.headers["cache-control"] == ["no-cache"])
        }
    }

    @Test func theCommandLinesSocketHasNoPage() async throws {
        let actions = AdminActions(addUser: { _, _ in }, makeToken: { _, _, _ in "" })
        try await TestServer.run(door: .commandLine(keyHash: [1], actions)) { server in
            for path in ["/", "/index.html", "/config.json", Self.module] {
                let answer = try await server.client.call(.GET, path)
                #expect(answer.status == 404, "\(path)")
            }
        }
    }
}
