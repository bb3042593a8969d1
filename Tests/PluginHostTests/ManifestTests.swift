import CrowbarCore
import JSONBytes
import Settings
import Testing

@testable import PluginHost

private func read(_ text: String, name: String = "example") throws -> Manifest {
    try ManifestReader.read(Array(text.utf8), name: name, file: "plugins.d/\(name).toml")
}

@Test func aManifestNeedsOnlyItsCommand() throws {
    let manifest = try read("command = [\"./x\"]")
    var expected = Manifest(name: "example", file: "plugins.d/example.toml", command: ["./x"])
    expected.config = .object([])
    #expect(manifest == expected)
    #expect(manifest.start == .now)
    #expect(manifest.window == 256)
    #expect(manifest.maxAttempts == 8)
    #expect(manifest.ackDeadline == 60_000)
}

@Test func everyKeyOfAManifestIsRead() throws {
    let manifest = try read(
        """
        command = ["crowbar-irc", "-v"]
        phase = "event"
        enabled = false
        types = ["MESSAGE_SENT", "CHANNEL_CREATED"]
        channels = ["general", "dev-*"]
        start = "@2026-11-01T00:00:00Z"
        order = "total"
        window = 8
        commands = ["SEND_MESSAGE", "JOIN_CHANNEL"]
        own_events = true
        act_as = ["*"]
        ping = false
        replay = false
        commands_in_history = true
        [retry]
        max_attempts = 3
        ack_deadline = "90s"
        [limits]
        memory = "256MB"
        cpu = 1.0
        files = 256
        processes = 16
        disk = "2GB"
        [sandbox]
        network = true
        read = ["/etc/ssl"]
        [env]
        set = { TZ = "UTC" }
        pass = ["HTTPS_PROXY"]
        [config]
        deep = { list = [1, "two"] }
        """)
    #expect(manifest.types == [.messageSent, .channelCreated])
    #expect(manifest.start == .at(milliseconds: 1_793_491_200_000))
    #expect(manifest.commands == [.sendMessage, .joinChannel])
    #expect(manifest.ackDeadline == 90_000)
    #expect(manifest.limits == .init(memory: 268_435_456, cpu: 1, files: 256, processes: 16, disk: 2_147_483_648))
    #expect(manifest.environment == ["TZ": "UTC"])
    #expect(manifest.passedEnvironment == ["HTTPS_PROXY"])
    #expect(manifest.config["deep"]?["list"] == .array([.int(1), .string("two")]))
    #expect(!manifest.isEnabled && !manifest.ping && !manifest.replay && manifest.commandsInHistory)
}

@Test func aManifestOfTheCommandPhase() throws {
    let manifest = try read(
        """
        command = ["./filter"]
        phase = "command"
        types = ["SEND_MESSAGE", "EDIT_MESSAGE"]
        channels = ["dev-*"]
        priority = -5
        on_failure = "refuse"
        """)
    #expect(manifest.phase == .command && manifest.types == nil)
    #expect(manifest.commandTypes == [.sendMessage, .editMessage])
    #expect(manifest.priority == -5 && manifest.onFailure == .refuse)
}

@Test(
    arguments: [
        ("", nil, "command", "is missing"),
        ("command = []", nil, "command", "must name a program"),
        ("command = \"x\"", 1, "command", "array of strings"),
        ("command = [\"x\"]\nchanels = []", 2, "chanels", "did you mean 'channels'"),
        ("command = [\"x\"]\nphase = \"both\"", 2, "phase", "command"),
        ("command = [\"x\"]\npriority = 3", 2, "priority", "belongs to phase \"command\""),
        ("command = [\"x\"]\nphase = \"command\"\nwindow = 3", 3, "window", "belongs to phase \"event\""),
        ("command = [\"x\"]\nphase = \"command\"\non_failure = \"ask\"", 3, "on_failure", "allow"),
        ("command = [\"x\"]\nphase = \"command\"\ntypes = [\"MESSAGE_SENT\"]", 3, "types[0]", "there is no command"),
        ("command = [\"x\"]\ntypes = [\"MESAGE_SENT\"]", 2, "types[0]", "did you mean 'MESSAGE_SENT'"),
        ("command = [\"x\"]\ncommands = [\"SHOUT\"]", 2, "commands[0]", "there is no command 'SHOUT'"),
        ("command = [\"x\"]\nchannels = [\"Général\"]", 2, "channels[0]", "neither a channel"),
        ("command = [\"x\"]\nstart = \"yesterday\"", 2, "start", "must be"),
        ("command = [\"x\"]\nwindow = 70000", 2, "window", "from 0 to 65536"),
        ("command = [\"x\"]\n[retry]\nack_deadline = \"soon\"", 3, "retry.ack_deadline", "as \"60s\""),
        ("command = [\"x\"]\n[limits]\nmemory = \"lots\"", 3, "limits.memory", "as \"256MB\""),
        ("command = [\"x\"]\n[limits]\ndisk = \"1 TB\"", 3, "limits.disk", "as \"256MB\""),
        ("command = [\"x\"]\n[sandbox]\nread = [\"etc\"]", 3, "sandbox.read[0]", "path from the root"),
        ("command = [\"x\"]\n[sandbox]\nwrite = [\"/tmp\", \"/\"]", 3, "sandbox.write[1]", "name the folders"),
        ("command = [\"x\"]\n[sandbox]\nwrite = [\"//usr/..\"]", 3, "sandbox.write[0]", "name the folders"),
        ("command = [\"x\"\n", nil, nil, ""),
    ] as [(String, Int?, String?, String)])
func whatIsWrongIsNamedWithFileLineAndKey(text: String, line: Int?, key: String?, reason: String) throws {
    let error = try #require(throws: SettingsError.self) { try read(text) }
    #expect(error.file == "plugins.d/example.toml")
    #expect(error.key == key)
    if let line { #expect(error.line == line) }
    #expect(error.reason.contains(reason), "\(error)")
}

@Test(arguments: ["cli", "incoming", "Big", "-x", "", "a b"]) func notEveryNameIsAPlugins(name: String) {
    #expect(throws: SettingsError.self) { try read("command = [\"x\"]", name: name) }
}

@Test(arguments: [
    ("now", StartPoint.now), ("beginning", .beginning), ("id:abc", .after(eventId: "abc")),
    ("@1970-01-01T00:00:00Z", .at(milliseconds: 0)),
    ("@2024-02-29T12:30:15.250+02:00", .at(milliseconds: 1_709_202_615_250)),
    ("@1969-12-31T23:59:59.999Z", .at(milliseconds: -1)), ("id:", nil), ("@2026-13-01T00:00:00Z", nil), ("@now", nil),
    ("@2026-11-01", nil), ("", nil),
])
func startPoints(text: String, expected: StartPoint?) {
    #expect(StartPoint(text) == expected)
}

@Test func secretsAreResolvedAndKnown() throws {
    let config = JSON.object([
        .init("password", .object([.init("env", .string("PASSWORD"))])),
        .init("list", .array([.object([.init("env", .string("OTHER"))])])), .init("plain", .string("x")),
    ])
    let secrets = try Secrets.resolve(
        config, environment: ["PASSWORD": "hunter2", "OTHER": "o"], folder: "/", hidden: [])
    #expect(secrets.config["password"] == .string("hunter2"))
    #expect(secrets.config["list"] == .array([.string("o")]))
    #expect(secrets.values == ["hunter2", "o"])
    let missing = #expect(throws: Secrets.Unresolved.self) {
        try Secrets.resolve(config, environment: ["PASSWORD": "x"], folder: "/", hidden: [])
    }
    #expect(missing?.path == "list[0]")
    #expect(missing?.reason.contains("OTHER") == true)
}

@Test(
    arguments: [
        (["a"], nil, nil), (["a"], ["a", "b"], nil), (["dev-x"], ["dev-*"], nil), (["dev-*"], ["dev-*"], nil),
        (["dev-*"], ["*"], nil), (["de*"], ["dev-*"], "de*"), (["c"], ["a", "b"], "c"), (nil, ["a"], "*"),
        (nil, nil, nil),
    ] as [([String]?, [String]?, String?)])
func aQueueCanOnlyNarrowItsManifest(asked: [String]?, allowed: [String]?, beyond: String?) {
    #expect(QueueFilter.firstBeyond(asked, allowed) == beyond)
}
