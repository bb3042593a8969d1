import Settings
import Testing

@testable import IRCBridge
@testable import crowbar

/// What `crowbar import matterbridge` makes of a configuration, as values.
@Suite struct ImportTests {
    static let folder = MainJobTests.tests + "/EndToEndTests/Matterbridge/"

    private func imported(_ text: String) throws -> ImportedConfiguration {
        try MatterbridgeImport.run(
            try MatterbridgeFile(parsing: Array(text.utf8), file: "m.toml"), folder: "/etc/matterbridge")
    }

    private func manifest(_ text: String, _ path: String = "plugins.d/irc.toml") throws -> String {
        try imported(text).files.first { $0.path == path }?.text ?? ""
    }

    /// One account in a gateway, with these lines.
    private func account(_ lines: String, options: String = "") -> String {
        """
        [irc.libera]
        Server = "irc.libera.chat:6697"
        Nick = "relay"
        \(lines)
        [[gateway]]
        name = "main"
        enable = true
        [[gateway.inout]]
        account = "irc.libera"
        channel = "#one"
        \(options)
        """
    }

    // MARK: Every line

    /// Line numbers of the report's rows, and of the lines that it names as comments.
    private func numbers(_ report: String) -> [Int] {
        var ranges = report.split(separator: "\n").filter { $0.hasPrefix("| ") && !$0.hasPrefix("| line") }
            .compactMap { $0.split(separator: " ").dropFirst().first }
        let comments = "Comments and empty lines, of which nothing was read: "
        for line in report.split(separator: "\n") where line.hasPrefix(comments) {
            ranges += line.dropFirst(comments.count).replacing(",", with: "").split(separator: " ")
        }
        return ranges.flatMap { range -> [Int] in
            let ends = range.split(separator: "–").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last else { return [] }
            return Array(first...last)
        }
    }

    @Test(arguments: ["simple.toml", "full.toml"]) func eachLineOfAnExampleIsInTheReportOnce(_ name: String) throws {
        let text = CommandLineFolder.text(of: Self.folder + name)
        let result = try imported(text)
        let report = try #require(result.files.first { $0.path == "IMPORT.md" }).text
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
        #expect(numbers(report).sorted() == Array(1...lines))
        for line in report.split(separator: "\n") where line.hasPrefix("| ") && !line.hasPrefix("| line") {
            let cells = line.replacing("\\|", with: "").split(separator: "|").map { $0.trimmed }
            #expect(cells.count == 4 && ["taken", "changed", "no counterpart"].contains(cells[2]), "\(line)")
            #expect(!line.contains("does not know this key"), "\(line)")
        }
        // As a person would look for them.
        for line in text.split(separator: "\n") where line.contains("=") && !line.trimmed.hasPrefix("#") {
            let key = line.trimmed.prefix { $0 != "=" && $0 != " " }
            #expect(report.contains("`\(key) = "), "\(key)")
        }
    }

    @Test func noSecretIsOutsideOfTheFilesForSecrets() throws {
        let text = CommandLineFolder.text(of: Self.folder + "full.toml")
        let result = try imported(text)
        for file in result.files where !file.isSecret {
            #expect(!file.text.contains("-secret") && !file.text.contains("user:"), "\(file.path)")
        }
        let secrets = result.files.filter(\.isSecret)
        #expect(secrets.allSatisfy { $0.path.hasPrefix("secrets/") })
        #expect(
            Set(secrets.map(\.text)) == [
                "irc-nickserv-secret\n", "PRIVMSG chanserv IDENTIFY irc-command-secret\n", "irc-key-secret\n",
                "https://chat.example.com/hooks/mattermost-hook-secret\n",
            ])
        // A running server reads a manifest as soon as it is there.
        let first = try #require(result.files.firstIndex { $0.path.hasPrefix("plugins.d/") })
        #expect(result.files[first...].allSatisfy { $0.path.hasPrefix("plugins.d/") })
    }

    // MARK: IRC

    struct Key: Sendable, CustomTestStringConvertible {
        var lines: String
        var row: String?
        var verdict = ImportReport.Verdict.taken
        var testDescription: String { lines }
    }

    private static let keys = [
        Key(lines: "UseTLS = true", row: "tls      = true"),
        Key(lines: "usetls = \"true\"", row: "tls      = true"),
        Key(lines: "UseTLS = false", row: "tls      = false"),
        Key(lines: "ColorNicks = true", row: "name_colors = true"),
        Key(lines: "RealName = \"A relay\"", row: "realname = \"A relay\""),
        Key(lines: "UserName = \"u\"", row: "user     = \"u\""),
        Key(lines: "Bind = \"192.0.2.1\"", row: "bind     = \"192.0.2.1\""),
        Key(lines: "Bind = \"example.org\"", row: nil, verdict: .noCounterpart),
        Key(lines: "MessageDelay = 500", row: "flood    = { burst = 1, lines_per_second = 2.0 }"),
        Key(lines: "MessageDelay = 1300", row: "lines_per_second = 0.76923 }"),
        Key(
            lines: "Password = \"p\"",
            row: "server_password = { file = \"../secrets/irc-libera-server-password\" }"),
        Key(lines: "IgnoreNicks = \"bot1 ^bot2$\"", row: #"ignore   = ["*bot1*", "/^(bot2)!/"]"#),
        Key(lines: "IgnoreNicks = \"bot1 (?=x)y\"", row: #"ignore   = ["*bot1*"]"#, verdict: .changed),
        Key(lines: "IgnoreNicks = \"(?=x)y\"", row: nil, verdict: .noCounterpart),
        Key(lines: "RemoteNickFormat = \"<{NICK}> \"", row: "format   = \"<{name}> {text}\""),
        Key(lines: "RemoteNickFormat = \"[{PROTOCOL}] <{NOPINGNICK}> \"", row: "anti_ping = true", verdict: .changed),
        Key(lines: "RemoteNickFormat = \"{TENGO}\"", row: nil, verdict: .changed),
        Key(lines: "RunCommands = [\"MODE {BOTNICK} +B\"]", row: "perform  = [\"MODE {nick} +B\"]"),
        Key(lines: "MessageSplit = true"), Key(lines: "MessageSplit = false", verdict: .changed),
        Key(lines: "ReplaceMessages = [[\"a\", \"b\"]]", verdict: .noCounterpart),
        Key(lines: "Charset = \"utf-8\""), Key(lines: "Charset = \"latin1\"", verdict: .noCounterpart),
        Key(lines: "SomethingNew = 5", verdict: .noCounterpart), Key(lines: "SomethingNew = \"\""),
        Key(lines: "SkipTLSVerify = true"), Key(lines: "NickServNick = \"x\"", verdict: .changed),
    ]

    @Test(arguments: keys) func aKeyOfAnAccount(_ key: Key) throws {
        let result = try imported(account(key.lines))
        let text = try #require(result.files.first { $0.path == "plugins.d/irc.toml" }).text
        if let row = key.row { #expect(text.contains(row + "\n") || text.contains(row), "\(text)") }
        let report = try #require(result.files.first { $0.path == "IMPORT.md" }).text
        let line = try #require(report.split(separator: "\n").first { $0.hasPrefix("| 4 |") })
        #expect(line.contains("| \(key.verdict.rawValue) |"), "\(line)")
        try requireAccepted(text, result)
    }

    /// The bridge itself reads what was written, with the secrets in place.
    private func requireAccepted(_ manifest: String, _ result: ImportedConfiguration) throws {
        var text = manifest
        for file in result.files where file.isSecret {
            text = text.replacing("{ file = \"../\(file.path)\" }", with: TOMLText.string(String(file.text.dropLast())))
        }
        let config = try #require(try SettingsReader(parsing: Array(text.utf8), file: "irc.toml").table("config"))
        #expect(BridgeConfig.problems(config.json) == [], "\(text)")
    }

    @Test func accountsAreProvedBySASLOrNickServ() throws {
        let both = "NickServNick = \"acc\"\nNickServPassword = \"pw\"\n"
        let file = "password = { file = \"../secrets/irc-libera-sasl-password\" }"
        #expect(
            try manifest(account("UseSASL = true\nUseTLS = true\n" + both)).contains(
                "sasl     = { mechanism = \"plain\", account = \"acc\", \(file) }\n"))
        #expect(
            try manifest(account(both.replacing("acc", with: "NickServ"))).contains(
                "nickserv = { password = { file = \"../secrets/irc-libera-nickserv-password\" } }\n"))
        #expect(
            try manifest(account(both)).contains("{ service = \"acc\", command = \"IDENTIFY {password}\", password"))
        let quakenet = both.replacing("acc", with: "Q@CServe.quakenet.org") + "NickServUsername = \"me\"\n"
        let result = try imported(account(quakenet))
        let text = try #require(result.files.first { $0.path == "plugins.d/irc.toml" }).text
        #expect(text.contains("{ service = \"Q@CServe.quakenet.org\", account = \"me\", password = "))
        try requireAccepted(text, result)
    }

    @Test func aClientCertificateIsReadableInTheSandbox() throws {
        let text = try manifest(account("UseTLS = true\nTLSClientCertificate = \"bot.pem\""))
        #expect(text.contains("client_cert = \"/etc/matterbridge/bot.pem\"\n"))
        #expect(text.contains("read    = [\"/etc/matterbridge/bot.pem\"]\n"))
    }

    @Test func generalSettingsAreDefaults() throws {
        let general = "[general]\nRemoteNickFormat = \"({NICK}) \"\nMediaDownloadSize = 5\n"
        #expect(try manifest(general + account("")).contains("format   = \"({name}) {text}\"\n"))
        let own = try imported(general + account("RemoteNickFormat = \"{NICK}: \""))
        #expect(own.files.contains { $0.text.contains("format   = \"{name}: {text}\"\n") })
        let report = try #require(own.files.first { $0.path == "IMPORT.md" }).text
        #expect(
            report.contains("| 2 | `RemoteNickFormat = \"({NICK}) \"` | changed | no IRC account uses this default |"))
        #expect(report.contains("| 3 | `MediaDownloadSize = …` | no counterpart |"))
    }

    // MARK: Gateways

    @Test func directionsOfOneChannelAreJoined() throws {
        let text = try manifest(
            account(
                "",
                options: """
                    [gateway.inout.options]
                    key = "k"
                    [[gateway.in]]
                    account = "irc.libera"
                    channel = "#hears"
                    [[gateway.out]]
                    account = "IRC.Libera"
                    channel = "#says"
                    [[gateway.in]]
                    account = "irc.libera"
                    channel = "#both"
                    [[gateway.out]]
                    account = "irc.libera"
                    channel = "#Both"
                    [[gateway.inout]]
                    account = "irc.libera"
                    channel = "nochannel"
                    """))
        let links = text.split(separator: "[[config.links]]\n").dropFirst().map { $0.trimmed }
        #expect(
            links == [
                """
                channel = "main"
                irc     = "libera/#one"
                key     = { file = "../secrets/irc-libera-one-key" }
                """,
                """
                channel   = "main"
                irc       = "libera/#hears"
                direction = "to_chat"
                """,
                """
                channel   = "main"
                irc       = "libera/#says"
                direction = "to_irc"
                """,
                """
                channel = "main"
                irc     = "libera/#both"
                """,
            ])
    }

    @Test func inlineTablesCountAsTheirLines() throws {
        let result = try imported(
            """
            irc = { one = { Server = "a.example:6667", Nick = "n" } }
            gateway = [{ name = "G 1", enable = true, inout = [{ account = "irc.one", channel = "#c" }] }]
            """)
        #expect(result.channels == ["g-1"])
        #expect(result.files.contains { $0.text.contains("irc     = \"one/#c\"") })
        #expect(numbers(result.files[0].text).sorted() == [1, 2])
    }

    @Test func channelsAndEndpointsOfServices() throws {
        let result = try imported(
            """
            [slack.team]
            WebhookURL = "https://hooks.slack.com/services/x"
            [discord.guild]
            Token = "t"
            [irc.a]
            Server = "a.example:6667"
            [[gateway]]
            name = "Général!"
            enable = true
            [[gateway.out]]
            account = "slack.team"
            channel = "x"
            [[gateway.inout]]
            account = "discord.guild"
            channel = "y"
            [gateway.inout.options]
            WebhookURL = "https://discord.com/api/webhooks/1/x"
            [[samechannelgateway]]
            name = "s"
            enable = true
            accounts = ["irc.a", "slack.team"]
            channels = ["#dev", "#dev.x"]
            """)
        #expect(result.channels == ["g-n-ral", "dev", "dev.x"])
        let webhook = try #require(result.files.first { $0.path == "plugins.d/webhook.toml" }).text
        #expect(
            webhook.contains(
                """
                name     = "discord-guild-g-n-ral"
                url      = { file = "../secrets/webhook-discord-guild-g-n-ral-url" }
                body     = "discord"
                channels = ["g-n-ral"]
                """))
        #expect(webhook.ranges(of: "body     = \"slack\"").count == 3)
        let irc = try #require(result.files.first { $0.path == "plugins.d/irc.toml" }).text
        #expect(irc.ranges(of: "[[config.links]]").count == 2)
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        var text: String
        var error: String
        var testDescription: String { error }
    }

    private static let mistakes = [
        Mistake(text: "[irc.a]\nServer=x", error: "m.toml:2:8: this is no number, and neither true nor false"),
        Mistake(text: "[irc.a]\nNick = \"a\"\nnick = \"b\"", error: "m.toml:3: irc.a.nick: stands in line 2 already"),
        Mistake(
            text: "[[gateway]]\nname = \"g\"\nenable = true\n[[gateway.in]]\naccount = \"irc.b\"",
            error: "m.toml:5: gateway[0].in[0].account: there is no account 'irc.b'"),
        Mistake(text: "[[gateway]]\nenable = true", error: "m.toml:1: gateway: an enabled gateway needs a name"),
        Mistake(
            text: "[[gateway]]\nenable = \"maybe\"", error: "m.toml:2: gateway[0].enable: must be true or false"),
        Mistake(
            text: "[irc.a]\nServer = \"x:y\"\n[[gateway]]\nname = \"g\"\nenable = true\n[[gateway.in]]\n"
                + "account = \"irc.a\"\nchannel = \"#c\"",
            error: "m.toml:2: irc.a.Server: the port must be a number from 1 to 65535"),
        Mistake(
            text: "[irc.a]\nNick = \"x\"\n[[gateway]]\nname = \"g\"\nenable = true\n[[gateway.in]]\n"
                + "account = \"irc.a\"\nchannel = \"#c\"",
            error: "m.toml:2: irc.a.Nick: the account has no Server"),
    ]

    @Test(arguments: mistakes) func aMistakeIsToldWithItsLine(_ mistake: Mistake) {
        do {
            _ = try imported(mistake.text)
            Issue.record("accepted")
        } catch {
            #expect("\(error)".hasPrefix(mistake.error), "\(error)")
        }
    }

    @Test func aFileThatIsTooLongIsRefused() throws {
        #expect(throws: SettingsError.self) { try imported(String(repeating: "#\n", count: 1 << 20)) }
        let many = (0...MatterbridgeFile.maxEntries).map { "k\($0) = 1\n" }.joined()
        #expect(throws: SettingsError.self) { try imported(many) }
    }
}

/// The texts of matterbridge in the bridge's own terms.
@Suite struct ImportTranslationTests {
    @Test(
        arguments: [
            ("<{NICK}> ", "<{name}> {text}", []), ("[{PROTOCOL}] <{NICK}> ", "<{name}> {text}", ["{PROTOCOL}"]),
            ("{NICK} ({PROTOCOL}): ", "{name}: {text}", ["{PROTOCOL}"]),
            ("{NICK}/{PROTOCOL}", nil, ["{PROTOCOL}"]), ("@{NICK}: ", "@{name}: {text}", []),
            ("{PROTOCOL}/{BRIDGE}/{NICK}: ", "{name}: {text}", ["{PROTOCOL}", "{BRIDGE}"]),
            ("{LABEL} {NICK} ", "{name} {text}", ["{LABEL}"]), ("{TENGO}", nil, ["{TENGO}"]), ("", nil, []),
            ("{NICK}{NICK}", nil, []), ("{NICK} {text}", nil, []),
        ] as [(String, String?, [String])])
    func aRemoteNickFormat(_ original: String, _ format: String?, _ dropped: [String]) throws {
        let translation = RelayFormatTranslation(original)
        #expect(translation.format == format)
        #expect(translation.dropped == dropped)
        if let format { #expect(RelayFormat(format) != nil) }
    }

    /// Each with nicks that it is for, and some that it is not for.
    @Test(
        arguments: [
            ("spammer1", ["spammer1", "xspammer12"], ["spammer2"]), ("^bot", ["bot", "botty"], ["robot"]),
            ("bot$", ["robot"], ["botty"]), ("^bot$", ["bot"], ["botty", "robot"]), ("b.t", ["robot", "bat"], ["bt"]),
            ("bot[0-9]+", ["bot1"], ["bot"]), ("b\\d{2,3}$", ["b12"], ["b1"]), ("(?i)BOT", ["bot"], ["bat"]),
            ("(?:a|b)c", ["ac", "xbcx"], ["cc"]), ("a.*?b", ["axxb"], ["ba"]), ("a|b", ["a", "xb"], ["c"]),
            ("\\[m\\]$", ["ann[m]"], ["ann"]), ("user\\.x", ["user.x"], ["userx"]),
        ] as [(String, [String], [String])])
    func anExpressionOfIgnoredNicks(_ original: String, _ matching: [String], _ others: [String]) throws {
        let text = try #require(IgnoreTranslation.mask(original))
        let mask = try #require(IgnoreMask(text), "\(IgnoreMask.problem(text))")
        for nick in matching { #expect(mask.matches("\(nick)!user@host.example"), "\(text) \(nick)") }
        // Neither in the user name nor in the host.
        for nick in others { #expect(!mask.matches("\(nick)!\(matching[0])@\(matching[0])"), "\(text) \(nick)") }
    }

    @Test(arguments: [
        "", "(?=x)", "(?P<n>x)", "^a|b$", "a^b", "[a\\]]", "(", ")", "a\\pL", "*a", "a{x}", "a{3,999}", "ä",
    ])
    func whatPOSIXCannotSayIsLeftOut(_ original: String) { #expect(IgnoreTranslation.mask(original) == nil) }
}

extension StringProtocol {
    /// Without blanks around it.
    fileprivate var trimmed: String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
