import Glibc
import Testing

/// Ten mistakes in each file of settings: `crowbar check` tells each with its file, line, key, reason and what to do,
/// alone and all of them together.
@Suite(.serialized) struct TypoTests {
    struct Typo: Sendable {
        /// The line as it should be, as it is in the good file.
        var good: String
        var bad: String
        /// The key and the rest of the finding, as it is printed behind `FILE:LINE: `.
        var error: String
    }

    struct Settings: Sendable, CustomTestStringConvertible {
        var file: String
        /// What the finding begins with.
        var prefix: String
        var text: String
        var typos: [Typo]
        var testDescription: String { file }
    }

    static let all = [server, manifest, irc, webhook, aws]

    private static let server = Settings(
        file: "crowbar.toml", prefix: "crowbar: crowbar.toml",
        text: """
            data = "d"
            plugins = "plugins.d"

            [log]
            store = "sqlite"
            format = "text"
            level = "info"

            [http]
            listen = "127.0.0.1:0"
            cors = []

            [auth]
            registration = "closed"
            anonymous_read = false

            [limits]
            commands_per_second = 20

            [views]

            """,
        typos: [
            Typo(good: "data = \"d\"", bad: "dta = \"d\"", error: "dta: unknown key; did you mean 'data'?"),
            Typo(good: "plugins =", bad: "plugin =", error: "plugin: unknown key; did you mean 'plugins'?"),
            Typo(good: "store =", bad: "sotre =", error: "log.sotre: unknown key; did you mean 'store'?"),
            Typo(
                good: "\"text\"", bad: "\"txt\"", error: "log.format: must be one of \"text\", \"json\"; did you mean"),
            Typo(
                good: "\"info\"", bad: "\"inof\"",
                error: "log.level: must be one of \"trace\", \"debug\", \"info\", \"notice\", \"warning\", \"error\", "
                    + "\"critical\"; did you mean \"info\"?"),
            Typo(
                good: "\"127.0.0.1:0\"", bad: "\"127.0.0.1\"",
                error: "http.listen: must be HOST:PORT, as \"127.0.0.1:8080\""),
            Typo(
                good: "cors =", bad: "cros =", error: "http.cros: unknown key; did you mean 'cors'?"
            ),
            Typo(
                good: "\"closed\"", bad: "\"closde\"",
                error: "auth.registration: must be \"open\", \"invite\" or \"closed\"; did you mean \"closed\"?"),
            Typo(good: "= false", bad: "= \"no\"", error: "auth.anonymous_read: must be true or false"),
            Typo(
                good: "[views]", bad: "[veiws]",
                error: "veiws: unknown key; did you mean 'views'?"),
            Typo(
                good: "commands_per_second", bad: "command_per_second",
                error: "limits.command_per_second: unknown key; did you mean 'commands_per_second'?"),
        ])

    private static let manifest = Settings(
        file: "plugins.d/p.toml", prefix: "error: ",
        text: """
            command = ["true"]
            enabled = false
            types = ["MESSAGE_SENT", "USER_RENAMED"]
            channels = ["general", "ops-*"]
            start = "now"
            order = "channel"
            window = 16
            commands = ["SEND_MESSAGE"]

            [retry]
            max_attempts = 8
            ack_deadline = "60s"

            [limits]
            memory = "256MB"
            files = 64

            [sandbox]
            network = false
            read = ["/etc", "/usr"]

            [env]
            pass = ["PATH"]

            """,
        typos: [
            Typo(good: "enabled =", bad: "enabeld =", error: "enabeld: unknown key; did you mean 'enabled'?"),
            Typo(
                good: "\"USER_RENAMED\"", bad: "\"USER_RENAMD\"",
                error: "types[1]: there is no event type 'USER_RENAMD'; did you mean 'USER_RENAMED'?"),
            Typo(
                good: "\"ops-*\"", bad: "\"Ops-*\"",
                error: "channels[1]: 'Ops-*' is neither a channel nor the beginning"),
            Typo(good: "\"now\"", bad: "\"nwo\"", error: "start: must be \"now\", \"beginning\", \"id:EVENTID\" or"),
            Typo(
                good: "\"channel\"", bad: "\"chanel\"",
                error: "order: must be one of \"channel\", \"total\", \"none\"; did you mean \"channel\"?"),
            Typo(good: "= 16", bad: "= \"16\"", error: "window: must be a whole number from 0 to 65536"),
            Typo(
                good: "\"SEND_MESSAGE\"", bad: "\"SEND_MESAGE\"",
                error: "commands[0]: there is no command 'SEND_MESAGE'; did you mean 'SEND_MESSAGE'?"),
            Typo(
                good: "max_attempts", bad: "max_atempts",
                error: "retry.max_atempts: unknown key; did you mean 'max_attempts'?"),
            Typo(good: "\"60s\"", bad: "\"60\"", error: "retry.ack_deadline: must be a time from \"1ms\" to \"24h\""),
            Typo(good: "\"256MB\"", bad: "\"256M\"", error: "limits.memory: must be a size as \"256MB\""),
            Typo(good: "network =", bad: "netwrok =", error: "sandbox.netwrok: unknown key; did you mean 'network'?"),
            Typo(good: "\"/usr\"", bad: "\"usr\"", error: "sandbox.read[1]: must be a path from the root"),
            Typo(good: "pass =", bad: "pas =", error: "env.pas: unknown key; did you mean 'pass'?"),
        ])

    private static let irc = Settings(
        file: "plugins.d/irc.toml", prefix: "error: ",
        text: """
            command = ["crowbar-irc"]
            own_events = true
            replay = false
            [sandbox]
            network = true

            [[config.networks]]
            name = "libera"
            host = "irc.libera.chat"
            port = 6697
            tls = true
            nick = "crowbar"
            presence = "lazy"
            flood = { burst = 5, lines_per_second = 1 }
            format = "<{name}> {text}"

            [[config.networks]]
            name = "own"
            host = "127.0.0.1"
            tls = false
            max_lines = 5

            [[config.links]]
            channel = "general"
            irc = "libera/#general"

            [[config.links]]
            channel = "other"
            irc = "own/#general"
            direction = "both"

            """,
        typos: [
            Typo(
                good: "host = \"irc.libera.chat\"\nport", bad: "host = \"irc.libera.chat\"\nprot",
                error: "config.networks[0].prot: unknown key; did you mean 'port'?"),
            Typo(good: "tls = true", bad: "tls = \"yes\"", error: "config.networks[0].tls: must be true or false"),
            Typo(good: "nick = \"crowbar\"", bad: "nick = \"1 crow\"", error: "config.networks[0].nick: "),
            Typo(good: "\"lazy\"", bad: "\"lzay\"", error: "config.networks[0].presence: "),
            Typo(
                good: "burst = 5", bad: "brust = 5", error: "config.networks[0].flood.brust: unknown key; did you"),
            Typo(good: "{text}\"", bad: "{txt}\"", error: "config.networks[0].format: "),
            Typo(
                good: "host = \"127.0.0.1\"", bad: "host = { evn = \"X\" }",
                error: "config.networks[1].host: a text, { env = \"NAME\" } or { file = \"PATH\" } is expected; did "
                    + "you mean env?"),
            Typo(good: "name = \"own\"", bad: "name = \"Own\"", error: "config.networks[1].name: must be a-z, 0-9"),
            Typo(
                good: "max_lines", bad: "max_line",
                error: "config.networks[1].max_line: unknown key; did you mean 'max_lines'?"),
            Typo(
                good: "\"libera/#general\"", bad: "\"libra/#general\"",
                error: "config.links[0].irc: unknown network 'libra'; did you mean 'libera'?"),
            Typo(good: "\"both\"", bad: "\"bth\"", error: "config.links[1].direction: must be 'both', 'to_irc' or"),
            Typo(good: "\"other\"", bad: "\"Other\"", error: "config.links[1].channel: must be a-z, 0-9"),
        ])

    private static let webhook = Settings(
        file: "plugins.d/webhook.toml", prefix: "error: ",
        text: """
            command = ["crowbar-webhook"]
            [sandbox]
            network = true

            [[config.endpoints]]
            name = "one"
            url = "https://hooks.example.org/1"
            body = "slack"
            timeout = "10s"
            order = "channel"
            start = "now"

            [[config.endpoints]]
            name = "two"
            url = "https://hooks.example.org/2"
            body = "discord"
            rate = "30/m"
            concurrency = 4
            allow_private = ["10.0.0.0/8"]
            min_tls = "1.2"

            """,
        typos: [
            Typo(
                good: "name = \"one\"", bad: "name = \"One\"", error: "config.endpoints[0].name: a name is 1 to 64 of"),
            Typo(
                good: "\"https://hooks.example.org/1\"", bad: "{ flie = \"X\" }",
                error: "config.endpoints[0].url: a text, { env = \"NAME\" } or { file = \"PATH\" } is expected; did "
                    + "you mean file?"),
            Typo(good: "\"slack\"", bad: "\"slak\"", error: "config.endpoints[0].body: "),
            Typo(good: "timeout =", bad: "timeuot =", error: "config.endpoints[0].timeuot: unknown key; did you mean"),
            Typo(good: "\"channel\"", bad: "\"chanel\"", error: "config.endpoints[0].order: \"channel\", \"total\""),
            Typo(good: "\"now\"", bad: "\"nwo\"", error: "config.endpoints[0].start: \"now\", \"beginning\""),
            Typo(
                good: "https://hooks.example.org/2", bad: "htps://hooks.example.org/2",
                error: "config.endpoints[1].url: "),
            Typo(good: "\"30/m\"", bad: "\"30/x\"", error: "config.endpoints[1].rate: requests a second as 5"),
            Typo(good: "= 4", bad: "= 0", error: "config.endpoints[1].concurrency: "),
            Typo(
                good: "10.0.0.0/8", bad: "10.0.0.0/99", error: "config.endpoints[1].allow_private[0]: an address"),
            Typo(good: "\"1.2\"", bad: "\"1.4\"", error: "config.endpoints[1].min_tls: "),
        ])

    private static let aws = Settings(
        file: "plugins.d/aws.toml", prefix: "error: ",
        text: """
            command = ["crowbar-aws"]
            [sandbox]
            network = true
            [env]
            set = { AWS_ACCESS_KEY_ID = "a", AWS_SECRET_ACCESS_KEY = "b" }

            [config]
            credentials = "environment"

            [[config.targets]]
            name = "queue"
            arn = "arn:aws:sqs:eu-central-1:123456789012:chat.fifo"
            timeout = "10s"
            order = "channel"
            start = "now"
            concurrency = 4

            [[config.targets]]
            name = "function"
            arn = "arn:aws:lambda:eu-central-1:123456789012:function:chat"
            invoke = "event"
            endpoint = "https://lambda.example.org"
            types = ["MESSAGE_SENT"]

            """,
        typos: [
            Typo(
                good: "\"environment\"", bad: "\"enviroment\"",
                error: "config.credentials: \"environment\", \"file\" or"),
            Typo(good: "\"queue\"", bad: "\"Queue\"", error: "config.targets[0].name: a name is 1 to 64 of"),
            Typo(good: "arn:aws:sqs", bad: "arn:aws:sq", error: "config.targets[0].arn: the services are lambda, sqs"),
            Typo(good: "timeout =", bad: "timeot =", error: "config.targets[0].timeot: unknown key; did you mean"),
            Typo(good: "\"channel\"", bad: "\"chanel\"", error: "config.targets[0].order: \"channel\", \"total\""),
            Typo(good: "\"now\"", bad: "\"nwo\"", error: "config.targets[0].start: \"now\", \"beginning\""),
            Typo(good: "= 4", bad: "= 0", error: "config.targets[0].concurrency: "),
            Typo(
                good: "\"event\"", bad: "\"evnt\"", error: "config.targets[1].invoke: \"event\" or \"request-response\""
            ),
            Typo(good: "https://lambda", bad: "lambda", error: "config.targets[1].endpoint: http or https, a host and"),
            Typo(good: "types =", bad: "tpyes =", error: "config.targets[1].tpyes: unknown key; did you mean 'types'?"),
        ])

    private func check(_ settings: Settings, _ text: String) -> [String] {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
        folder.makeFolder("plugins.d")
        folder.write(settings.file, text)
        let outcome = folder.crowbar("check")
        // Notes, as that the data folder is not there yet, are none of it.
        let lines = outcome.error.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("note: ") }
        #expect((outcome.status == 0) == lines.isEmpty, "\(outcome.error)")
        return lines.map { $0.replacing(folder.path + "/", with: "") }
    }

    /// A plugin without the network is told so, and what else is wrong besides.
    @Test(arguments: [irc, webhook, aws]) func aClosedNetworkHidesNoOtherMistake(_ settings: Settings) {
        let closed = settings.text.replacing("network = true", with: "network = false")
        let advice = "this plugin has no network: write 'network = true' under [sandbox] in its manifest"
        let alone = check(settings, closed)
        #expect(alone.count == 1 && alone.first?.contains(advice) == true, "\(alone)")
        let bad = settings.typos.suffix(2).reduce(closed) { $0.replacing($1.good, with: $1.bad, maxReplacements: 1) }
        let lines = check(settings, bad)
        #expect(lines.count == 3 && lines.contains { $0.contains(advice) }, "\(lines)")
        for typo in settings.typos.suffix(2) {
            #expect(lines.contains { $0.contains(typo.error) }, "\(typo.error) is not among \(lines)")
        }
    }

    /// The line on which two texts begin to differ, from 1.
    private static func line(_ good: String, _ bad: String) -> Int {
        zip(good, bad).prefix { $0 == $1 }.count { $0.0 == "\n" } + 1
    }

    @Test(arguments: all) func eachIsNamedByFileLineKeyReasonAndWhatToDo(_ settings: Settings) {
        #expect(check(settings, settings.text) == [], "the good file has no errors")
        let prefix = settings.prefix.hasSuffix(": ") ? settings.prefix + settings.file : settings.prefix
        var all = settings.text
        var expected: [String] = []
        for typo in settings.typos {
            let bad = settings.text.replacing(typo.good, with: typo.bad, maxReplacements: 1)
            #expect(bad != settings.text, "\(typo.good) is in the file")
            all = all.replacing(typo.good, with: typo.bad, maxReplacements: 1)
            let error = "\(prefix):\(Self.line(settings.text, bad)): \(typo.error)"
            expected.append(error)
            let lines = check(settings, bad)
            #expect(lines.count == 1 && lines.first?.hasPrefix(error) == true, "expected \(error), got \(lines)")
        }
        let lines = check(settings, all)
        for error in expected { #expect(lines.contains { $0.hasPrefix(error) }, "\(error) is not among \(lines)") }
        #expect(lines.count == expected.count, "\(lines)")
    }
}
