import JSONBytes
import PluginWire

/// A `[[config.networks]]` table (docs/irc.md).
struct NetworkConfig: Equatable, Sendable {
    /// An account with the network's services.
    struct Account: Equatable, Sendable {
        var name: String
        var password: String
    }

    /// How users appear in the chat.
    enum Presence: String, CaseIterable, Sendable {
        /// When they speak first.
        case lazy
        /// As soon as they are in the channel, until they leave it.
        case full
        /// Not at all by the bridge's doing: they must be registered and members already.
        case off
    }

    /// The most ignore masks.
    static let maxIgnores = 200
    /// Steps of all their expressions, so that a message cannot hold up the bridge.
    static let maxIgnoreSteps = 4_000
    /// The longest nick that can be configured, in bytes; servers allow 9 to about 32.
    static let longestNick = 64
    /// The most commands at connect.
    static let maxCommands = 20
    /// The longest user name, in bytes; servers cut it to about 10.
    static let longestUser = 64
    /// The longest password and real name, in bytes, so that their lines have room.
    static let longestText = 400
    static let known =
        [
            "name", "host", "port", "tls", "server_password", "nickserv", "nick", "user", "realname", "sasl", "flood",
            "max_lines", "presence", "mode", "format", "anti_ping", "name_colors", "ignore", "catch_up",
            "puppets", "perform",
        ] + TLSOptions.keys + Route.keys

    var name: String
    var host: String
    var port: Int
    var tls: Bool
    var trust: TLSOptions
    var route: Route
    var serverPassword: String?
    var nick: String
    var user: String
    var realname: String
    var sasl: SASLConfig?
    /// Where there is no SASL, or none with this server.
    var nickServ: NickServ.Config?
    /// Lines that are written once the server has accepted the client, `{nick}` being its nick.
    var perform: [String]
    var burst: Int
    /// Lines a second; 0: no limit.
    var linesPerSecond: Double
    /// Lines of one message at most; 0: all.
    var maxLines: Int
    var presence: Presence
    /// Connections of users; nil: the bridge says everything itself.
    var puppets: PuppetConfig?
    var format: RelayFormat
    /// How authors' names are written.
    var style: NameStyle
    /// What is said of the time without a connection.
    var catchUp: OutboundBacklog.Limits
    /// Whom nothing is taken from.
    var ignore: [IgnoreMask]

    /// Reads a table.
    /// - Throws: ``ConfigError`` naming the key.
    init(_ json: JSON, path: String) throws(ConfigError) {
        let section = try ConfigSection(json, path: path, known: Self.known)
        name = try section.required("name")
        guard Wire.isName(name) else {
            throw section.fail("name", "must be a-z, 0-9, '_' and '-', begin with a letter or digit, 64 at most")
        }
        host = try section.required("host")
        guard Hostname.canConnect(host) else { throw section.fail("host", "is no host name and no address") }
        tls = try section.bool("tls", default: true)
        port = try section.int("port", default: tls ? 6697 : 6667, in: 1...65_535)
        trust = try TLSOptions(section, isOn: tls)
        route = try Route(section)
        serverPassword = try section.string("server_password", most: Self.longestText)
        nick = try Self.nick(section)
        user = try section.word("user", default: "crowbar", most: Self.longestUser)
        guard !user.utf8.contains(where: { "@!*".utf8.contains($0) }) else {
            throw section.fail("user", "must hold no '@', '!' or '*'")
        }
        realname = try section.string("realname", most: Self.longestText) ?? "Crowbar"
        maxLines = try section.int("max_lines", default: 5, in: 0...1000)
        let text = try section.string("presence") ?? Presence.lazy.rawValue
        guard let presence = Presence(rawValue: text) else {
            throw section.fail("presence", "must be 'lazy', 'full' or 'off'")
        }
        self.presence = presence
        let format = try section.string("format") ?? RelayFormat.preset
        guard let relay = RelayFormat(format) else {
            throw section.fail("format", "must hold {name} and {text} once each, {text} last")
        }
        self.format = relay
        style = NameStyle(
            antiPing: try section.bool("anti_ping", default: false),
            hasColors: try section.bool("name_colors", default: false))
        catchUp = try Self.catchUp(section)
        ignore = try Self.ignore(section)
        sasl = try SASLConfig.read(section, hasCertificate: trust.identity != nil)
        nickServ = try NickServ.Config.read(section)
        perform = try Self.perform(section)
        (burst, linesPerSecond) = try Self.flood(section)
        puppets = try PuppetConfig.read(section)
    }

    /// Whether another configuration connects to the same server as the same client, whatever it calls itself.
    func isReached(as other: NetworkConfig) -> Bool {
        (host, port, tls, trust, serverPassword) == (
            other.host, other.port, other.tls, other.trust, other.serverPassword
        )
            && (user, sasl, nickServ, route) == (other.user, other.sasl, other.nickServ, other.route)
    }

    /// The nick: letters, digits and `-[]\\`_^{|}` (RFC 2812, 2.3.1), and what is not ASCII, which some servers allow.
    private static func nick(_ section: ConfigSection) throws(ConfigError) -> String {
        let nick = try section.word("nick", default: "crowbar", most: longestNick)
        func isLetter(_ byte: UInt8) -> Bool { (0x41...0x7D).contains(byte) || byte >= 0x80 }
        guard nick.utf8.allSatisfy({ isLetter($0) || (0x30...0x39).contains($0) || $0 == 0x2D }) else {
            throw section.fail("nick", "must hold letters, digits and -[]\\`_^{|} only, as IRC has it")
        }
        guard nick.utf8.first.map(isLetter) == true else {
            throw section.fail("nick", "must not begin with a digit or '-', which no server accepts")
        }
        return nick
    }

    private static func ignore(_ section: ConfigSection) throws(ConfigError) -> [IgnoreMask] {
        guard let value = section.value("ignore") else { return [] }
        guard let texts = value.array, texts.count <= maxIgnores else {
            throw section.fail("ignore", "must be an array of at most \(maxIgnores) masks")
        }
        var masks: [IgnoreMask] = []
        for (i, text) in texts.enumerated() {
            let path = "\(section.path).ignore[\(i)]"
            guard let text = text.string else {
                let advice = "must be a mask such as \"nick!user@host\", with * and ?, or \"/expression/\""
                throw ConfigError(path: path, message: advice)
            }
            guard let mask = IgnoreMask(text) else { throw ConfigError(path: path, message: IgnoreMask.problem(text)) }
            masks.append(mask)
        }
        // Each message is looked at by all of them.
        guard masks.reduce(0, { $0 + $1.steps }) <= maxIgnoreSteps else {
            throw section.fail(
                "ignore",
                "has expressions of over \(maxIgnoreSteps) steps together, their repetitions written out; shorten them")
        }
        return masks
    }

    private static func perform(_ section: ConfigSection) throws(ConfigError) -> [String] {
        guard let value = section.value("perform") else { return [] }
        guard let commands = value.array, commands.count <= maxCommands else {
            throw section.fail("perform", "must be an array of at most \(maxCommands) lines, as \"MODE {nick} +B\"")
        }
        var lines: [String] = []
        for (i, command) in commands.enumerated() {
            let path = "\(section.path).perform[\(i)]"
            // Control characters would end the line; a verb comes first, as no tags, source or space do.
            guard let line = command.string, line.utf8.count <= longestText,
                line.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }), line.first?.isLetter == true
            else {
                throw ConfigError(
                    path: path, message: "must be a line as the server takes it, of \(longestText) bytes at most")
            }
            lines.append(line)
        }
        return lines
    }

    private static func catchUp(_ section: ConfigSection) throws(ConfigError) -> OutboundBacklog.Limits {
        guard let json = section.value("catch_up") else { return OutboundBacklog.Limits() }
        let table = try ConfigSection(json, path: section.path + ".catch_up", known: ["max_age", "max_lines"])
        return OutboundBacklog.Limits(
            maxAge: try table.double("max_age", default: 0, in: 0...31_536_000),
            maxLines: try table.int("max_lines", default: 0, in: 0...100_000))
    }

    private static func flood(_ section: ConfigSection) throws(ConfigError) -> (Int, Double) {
        guard let json = section.value("flood") else { return (5, 1) }
        let flood = try ConfigSection(json, path: section.path + ".flood", known: ["burst", "lines_per_second"])
        return (
            try flood.int("burst", default: 5, in: 0...10_000),
            try flood.double("lines_per_second", default: 1, in: 0...100_000)
        )
    }
}
