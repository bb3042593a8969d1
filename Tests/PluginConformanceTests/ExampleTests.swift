import CrowbarTesting
import Foundation
import JSONBytes
import Testing

/// The built-in plugins and every example pass the kit.
@Suite(.serialized, .timeLimit(.minutes(20))) struct ExampleTests {
    private static let root = KitScenario.root
    private static let python = root + "/.build/test-python/bin/python"

    private static func run(
        _ name: String, _ text: String, minimum: Int, location: SourceLocation = #_sourceLocation
    ) async throws {
        let outcome = try await KitScenario(name, text).run(arguments: ["--json", "--seed", "3", "--burst", "2000"])
        #expect(outcome.status == .exited(0), "\(outcome.text)", sourceLocation: location)
        #expect(outcome.numbers("passed").count >= minimum, "\(outcome.text)", sourceLocation: location)
    }

    /// An example of the libraries, in both languages.
    private static func example(_ language: String, _ name: String) -> String {
        let node = ["/usr/local/bin/node", "/usr/bin/node"].first { FileManager.default.isExecutableFile(atPath: $0) }
        let isPython = language == "python"
        let program = isPython ? "/usr/bin/python3" : node ?? "node"
        return "command = [\"\(program)\", \"\(root)/sdk/\(language)/examples/\(name).\(isPython ? "py" : "js")\"]\n"
    }

    private static let path = """
        [env]
        set = { PYTHONPATH = "\(root)/sdk/python/src", PYTHONDONTWRITEBYTECODE = "1" }

        """

    @Test(arguments: ["python", "javascript"]) func karma(language: String) async throws {
        let keys = """
            types = ["MESSAGE_SENT"]
            commands = ["REGISTER_USER", "JOIN_CHANNEL", "SEND_MESSAGE"]

            """
        try await Self.run("karma", Self.example(language, "karma") + keys + Self.path, minimum: 38)
    }

    @Test(arguments: ["python", "javascript"]) func exporter(language: String) async throws {
        let text = Self.example(language, "exporter") + "types = [\"MESSAGE_SENT\"]\n" + Self.path
        try await Self.run("exporter", text, minimum: 31)
    }

    @Test(arguments: ["python", "javascript"]) func polite(language: String) async throws {
        let keys = "phase = \"command\"\ntypes = [\"SEND_MESSAGE\"]\n"
        let config = "[config]\nhide = [\"darn\"]\nrefuse = [\"heck\"]\n"
        try await Self.run("polite", Self.example(language, "polite") + keys + Self.path + config, minimum: 26)
    }

    @Test func wordFilter() async throws {
        let text = """
            command = ["/usr/bin/python3", "\(Self.root)/examples/word_filter.py"]
            phase = "command"
            types = ["SEND_MESSAGE", "EDIT_MESSAGE", "SET_TOPIC"]
            [config]
            words = ["darn"]
            """
        try await Self.run("word-filter", text, minimum: 26)
    }

    /// What plugins send to; it ends with the object.
    private struct Targets {
        let folder: TemporaryFolder
        let process: LineProcess
        let port: Int64

        init() async throws {
            folder = try TemporaryFolder()
            // The plugins have users of their own.
            chmod(folder.path, 0o755)
            process = try LineProcess(
                ExampleTests.python, arguments: ["-I", KitScenario.plugins + "/targets.py", folder.path])
            port = try await process.first("its port") { try JSON(parsing: $0)["port"]?.int }
        }
    }

    @Test(arguments: ["python", "javascript"]) func multiSender(language: String) async throws {
        let targets = try await Targets()
        let config = ["first", "second"].map {
            "[[config.targets]]\nname = \"\($0)\"\nsocket = \"\(targets.folder.path)/\($0)\"\n"
        }
        let text = Self.example(language, "multi_sender") + Self.path + config.joined()
        try await Self.run("multi-sender", text, minimum: 29)
        withExtendedLifetime(targets) {}
    }

    @Test func webhook() async throws {
        let targets = try await Targets()
        let text = """
            command = ["crowbar-webhook"]
            [sandbox]
            network = true
            [[config.endpoints]]
            name = "example"
            url = "http://127.0.0.1:\(targets.port)/hook"
            secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
            allow_private = true
            """
        try await Self.run("webhook", text, minimum: 29)
        withExtendedLifetime(targets) {}
    }

    @Test func aws() async throws {
        let targets = try await Targets()
        let text = """
            command = ["crowbar-aws"]
            [sandbox]
            network = true
            [env]
            set = { AWS_ACCESS_KEY_ID = "AKIATEST", AWS_SECRET_ACCESS_KEY = "none" }
            [[config.targets]]
            name = "archive"
            arn = "arn:aws:lambda:eu-central-1:123456789012:function:archive"
            endpoint = "http://127.0.0.1:\(targets.port)"
            """
        try await Self.run("aws", text, minimum: 29)
        withExtendedLifetime(targets) {}
    }

    /// Against a network that is not there: nothing listens on the port.
    @Test func irc() async throws {
        let text = """
            command = ["crowbar-irc"]
            own_events = true
            commands = ["REGISTER_USER", "RENAME_USER", "JOIN_CHANNEL", "LEAVE_CHANNEL", "SEND_MESSAGE", "EDIT_MESSAGE"]
            [sandbox]
            network = true
            [[config.networks]]
            name = "local"
            host = "127.0.0.1"
            port = \(try LoopbackPort.free())
            tls = false
            nick = "crowbar"
            [[config.links]]
            channel = "general"
            irc = "local/#general"
            """
        try await Self.run("irc", text, minimum: 26)
    }
}
