import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import PluginHTTP
@testable import Webhook

/// HTTPS servers, good and bad, `tls_world.py`.
struct TLSWorld {
    private let process: LineProcess
    private let ports: JSON
    private let files: JSON

    /// Starts them; they must be stopped by ``stop()``, which takes their files away.
    init() async throws {
        let folder = String(#filePath.dropLast("TLSTests.swift".count))
        process = try LineProcess(
            folder + "../../.build/test-python/bin/python", arguments: ["-I", folder + "tls_world.py"])
        (ports, files) = try await process.first(
            "the servers' ports (script/bootstrap --tests installs what they need)", within: .seconds(60)
        ) { line in
            let json = try JSON(parsing: line)
            return if let ports = json["ports"], let files = json["files"] { (ports, files) } else { nil }
        }
    }

    /// The URL of a server.
    func url(_ server: String) throws -> String { "https://localhost:\(try #require(ports[server]?.int))/in" }

    /// The path of a file.
    func file(_ name: String) throws -> String { try #require(files[name]?.string) }

    /// Takes the next request: which server had it, by which client, in which version.
    func request() async throws -> (server: String, client: String?, version: String) {
        try await process.first("a request") { line in
            let json = try JSON(parsing: line)
            return (json["server"]?.string ?? "", json["client"]?.string, json["version"]?.string ?? "")
        }
    }

    /// Ends them.
    func stop() async throws {
        process.closeInput()
        _ = try await process.end()
    }
}

/// Whom an endpoint trusts, and what it shows of itself.
@Suite struct TLSTests {
    /// What a delivery comes to.
    private enum Result: Equatable {
        /// Delivered, with this client's name and version of TLS seen by the server.
        case delivered(client: String?, version: String)
        /// Tried again with the code `tls` and a message that holds this.
        case refused(String)
    }

    private struct Row {
        var server: String
        var ca: String? = "ca.pem"
        var cert: String?
        var key: String?
        var least: String?
        var result: Result
    }

    private static let rows = [
        Row(server: "good", result: .delivered(client: nil, version: "TLSv1.3")),
        Row(server: "good", least: "1.3", result: .delivered(client: nil, version: "TLSv1.3")),
        Row(
            server: "good", ca: nil, result: .refused("unable to get local issuer certificate; no authority that")),
        Row(
            server: "good", ca: "stranger.pem",
            result: .refused("unable to get local issuer certificate; no authority in ca_file '")),
        Row(server: "expired", result: .refused("certificate has expired")),
        Row(server: "future", result: .refused("certificate is not yet valid")),
        Row(server: "misnamed", result: .refused("no alternative certificate subject name matches")),
        Row(server: "unknown", result: .refused("unable to get local issuer certificate")),
        Row(server: "selfsigned", result: .refused("self-signed certificate")),
        Row(
            server: "selfsigned", ca: "selfsigned.pem",
            result: .delivered(client: nil, version: "TLSv1.3")),
        Row(server: "mutual", result: .refused("wants a client certificate: set client_cert")),
        Row(server: "mutual12", result: .refused("wants a client certificate: set client_cert")),
        Row(
            server: "mutual", cert: "client.pem", key: "client.key",
            result: .delivered(client: "crowbar", version: "TLSv1.3")),
        Row(
            server: "mutual12", cert: "both.pem",
            result: .delivered(client: "crowbar", version: "TLSv1.2")),
        Row(server: "mutual", cert: "false.pem", key: "false.key", result: .refused("does not accept client_cert")),
        // Who does not ask for a certificate is shown none.
        Row(server: "good", cert: "both.pem", result: .delivered(client: nil, version: "TLSv1.3")),
        Row(server: "only12", result: .delivered(client: nil, version: "TLSv1.2")),
        Row(server: "only12", least: "1.3", result: .refused("protocol version")),
        Row(server: "plain", result: .refused(" does not speak TLS; is it an http:// address?")),
        Row(server: "only13", least: "1.2", result: .delivered(client: nil, version: "TLSv1.3")),
    ]

    @Test func eachServerHasItsOutcome() async throws {
        let world = try await TLSWorld()
        var endpoints: [JSON] = []
        for (i, row) in Self.rows.enumerated() {
            var members = try #require(endpoint("e\(i)", world.url(row.server)).members)
            if let ca = row.ca { members.append(.init("ca_file", .string(try world.file(ca)))) }
            if let cert = row.cert { members.append(.init("client_cert", .string(try world.file(cert)))) }
            if let key = row.key { members.append(.init("client_key", .string(try world.file(key)))) }
            if let least = row.least { members.append(.init("min_tls", .string(least))) }
            endpoints.append(.object(members))
        }
        // One process for all: no endpoint may use a connection that another one's settings opened.
        let webhook = try await WebhookProcess(endpoints)
        try await webhook.start()
        for (i, row) in Self.rows.enumerated() {
            let delivery = Int64(i + 1)
            try await webhook.deliver(delivery, to: "e\(i)")
            let retry: PluginMessage.Retry? = try await webhook.plugin.first("row \(i)") { message in
                switch message {
                case .ack(.one(delivery), _): .some(nil)
                case .retry(let retry) where retry.delivery == delivery: .some(retry)
                default: nil
                }
            }
            switch row.result {
            case .delivered(let client, let version):
                guard retry == nil else {
                    Issue.record("row \(i), \(row.server): \(retry?.message ?? "")")
                    continue
                }
                let request = try await world.request()
                #expect(request.server == row.server && request.client == client && request.version == version)
            case .refused(let text):
                #expect(retry?.code == "tls", "row \(i), \(row.server): \(retry?.message ?? "delivered")")
                #expect(retry?.message.contains(text) == true, "row \(i), \(row.server): \(retry?.message ?? "")")
            }
        }
        try await world.stop()
    }

    @Test func filesThatCannotBeUsedAreNamedBeforeTheyAre() async throws {
        let world = try await TLSWorld()
        let rows: [(key: String, values: [(String, String)], text: String)] = [
            ("ca_file", [("ca_file", "none.pem")], "must be a PEM file"),
            ("client_cert", [("client_cert", "none.pem")], "both must be PEM"),
            ("client_cert", [("client_cert", "client.pem")], "both must be PEM"),
            ("client_cert", [("client_cert", "client.pem"), ("client_key", "false.key")], "belong together"),
            ("client_cert", [("client_cert", "client.pem"), ("client_key", "locked.key")], "not be encrypted"),
            ("client_key", [("client_key", "client.key")], "as 'client_cert'"),
        ]
        for row in rows {
            let good = try #require(endpoint("a", "https://example.org/").members)
            let files = try row.values.map { JSON.Member($0.0, .string(try world.file($0.1))) }
            let error = #expect(throws: InvalidConfiguration.self) {
                try WebhookConfiguration(
                    .object([.init("endpoints", .array([.object(good + files)]))]), isCheck: false)
            }
            #expect(error?.first.path == "endpoints[0].\(row.key)")
            #expect(error?.first.message.contains(row.text) == true, "\(error?.first.message ?? "")")
        }
        try await world.stop()
    }

    @Test(arguments: [
        ("https", "min_tls", JSON.string("1.1"), "\"1.2\" or \"1.3\""), ("https", "min_tls", .double(1.3), "a text"),
        ("https", "client_cert", .string("/no/such/file"), "cannot be read"),
        ("https", "client_key", .string("-----BEGIN\nGEHEIM"), "not its content"),
        ("http", "min_tls", .string("1.3"), "https URL only"),
        ("http", "ca_file", .string("/etc/hostname"), "https URL only"),
        ("https", "insecure", .bool(true), "unknown key"), ("https", "verify", .bool(false), "unknown key"),
    ])
    func wrongValuesAreNamed(scheme: String, key: String, value: JSON, text: String) throws {
        let json = endpoint("a", "\(scheme)://example.org/", .init(key, value))
        let error = #expect(throws: InvalidConfiguration.self) {
            try WebhookConfiguration(.object([.init("endpoints", .array([json]))]), isCheck: false)
        }
        #expect(error?.first.path == "endpoints[0].\(key)")
        #expect(error?.first.message.contains(text) == true, "\(error?.first.message ?? "")")
        #expect(error?.first.message.contains("GEHEIM") == false)
    }
}
