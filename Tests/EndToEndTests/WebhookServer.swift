import CrowbarTesting
import Foundation
import JSONBytes
import Testing

/// The real server with a webhook plugin, and a receiver beside it.
final class WebhookServer {
    static let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    static let tests = #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined()

    let folder = CommandLineFolder()
    /// Where the receiver listens.
    let port: Int64
    /// Where the server listens.
    private(set) var api = ""
    private(set) var pid: pid_t = 0
    private let receiver: LineProcess

    init() async throws {
        receiver = try LineProcess(
            "/usr/bin/env", arguments: ["python3", Self.tests + "/WebhookTests/receiver.py", Self.secret])
        port = try await receiver.first("the receiver's port", within: testDeadline) {
            try JSONObject(parsing: $0).int("port")
        }
        folder.makeFolder("plugins.d")
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        try start()
        for verb in [["channel", "add", "general"], ["user", "add", "ann"]] {
            let outcome = folder.crowbar(verb[0], verb[1], verb[2])
            try #require(outcome.status == 0, "\(verb): \(outcome.error)")
        }
    }

    /// Starts the server.
    func start() throws {
        let server = try #require(folder.serve())
        (pid, api) = (server.pid, server.port)
    }

    /// Ends the server.
    func stop(_ signal: Int32 = SIGTERM) {
        kill(pid, signal)
        _ = CommandLineFolder.wait(pid)
    }

    /// An `[[config.endpoints]]`.
    func endpoint(_ name: String, _ url: String, _ more: String = "") -> String {
        """
        [[config.endpoints]]
        name = "\(name)"
        url = "\(url)"
        secret = "\(Self.secret)"
        allow_private = true
        \(more)
        """
    }

    /// Writes the manifest, in the way of editors: aside, and then renamed.
    func configure(_ endpoints: [String]) throws {
        let text = """
            command = ["crowbar-webhook"]
            types = ["MESSAGE_SENT"]
            [sandbox]
            network = true
            \(endpoints.joined(separator: "\n"))
            """
        folder.write("plugins.d/webhook.aside", text)
        try #require(rename(folder.file("plugins.d/webhook.aside"), folder.file("plugins.d/webhook.toml")) == 0)
    }

    /// The plugin as `crowbar plugins list --json` shows it.
    func plugin() throws -> JSON {
        let listing = try JSON(parsing: Array(folder.crowbar("plugins", "list", "--json").output.utf8))
        return listing.array?.first { $0["name"]?.string == "webhook" } ?? .null
    }

    func waitLive() async throws {
        #expect(folder.poll { (try? plugin())?["state"]?.string == "live" })
    }

    /// Waits until the plugin serves these queues, those aside that are kept in case they come back.
    func waitQueues(_ names: [String]) async throws {
        let isSo = folder.poll {
            ((try? plugin())?["queues"]?.array ?? []).filter { $0["droppedAt"] == nil }.compactMap {
                $0["name"]?.string
            }
            .sorted() == names
        }
        #expect(isSo, "the queues \(names)")
    }

    /// Waits until a change of the manifest is acted upon.
    func waitReload() async throws {
        let outcome = folder.crowbar("plugins", "reload")
        #expect(outcome.status == 0, "\(outcome.error)")
    }

    /// Sends messages to "general".
    func send(_ texts: [String]) async throws {
        for text in texts {
            let outcome = folder.crowbar("send", "general", text)
            try #require(outcome.status == 0, "\(outcome.error)")
        }
    }

    /// Posts commands as NDJSON for "ann"; returns how many were acknowledged.
    func post(_ commands: [String]) async throws -> Int { try await Self.post(commands, to: api, of: folder) }

    /// Posts commands to a server that may end meanwhile.
    static func post(_ commands: [String], to api: String, of folder: CommandLineFolder) async throws -> Int {
        let token = folder.crowbar("token", "ann").output.dropLast()
        folder.write("body", commands.joined(separator: "\n"))
        folder.write("headers", "Authorization: Bearer \(token)\nContent-Type: application/x-ndjson\n")
        let curl = try LineProcess(
            "/usr/bin/curl",
            arguments: [
                "-sS", "--max-time", "20", "-H", "@" + folder.file("headers"), "--data-binary",
                "@" + folder.file("body"), "http://127.0.0.1:\(api)/api/commands",
            ])
        var acknowledged = 0
        while let line = try? await curl.first("an answer", within: testDeadline, { try JSONObject(parsing: $0) }) {
            if line.string("eventId") != nil { acknowledged += 1 }
        }
        return acknowledged
    }

    /// Takes the next request that the receiver tells of.
    func request(within limit: Duration = testDeadline) async throws -> JSONObject {
        try await receiver.first("a request", within: limit) { try JSONObject(parsing: $0) }
    }

    /// Takes as many requests as are named, in any order, as `PATH MESSAGE`, each a first one.
    func expect(_ wanted: [String], location: SourceLocation = #_sourceLocation) async throws {
        var came: [String] = []
        while came.count < wanted.count {
            let request = try await receiver.first("\(wanted) after \(came)", within: testDeadline) {
                try JSON(parsing: $0)
            }
            #expect(request["verified"]?.bool == true, sourceLocation: location)
            let event = try JSON(parsing: Array((request["body"]?.string ?? "").utf8))
            came.append("\(request["path"]?.string ?? "") \(event["message"]?.string ?? "")")
        }
        #expect(came.sorted() == wanted.sorted(), sourceLocation: location)
    }
}
