import JSONBytes

/// `puppets` of a network: how users of the chat get connections of their own (docs/irc.md).
struct PuppetConfig: Equatable, Sendable {
    /// The most that can be configured.
    static let mostPuppets = 2000
    /// The most bytes of a template.
    static let maxTemplate = 40

    /// Connections at most, beside the bridge's own.
    var limit = 50
    /// How long one stays after its user has spoken last, in seconds; 0: as long as the bridge runs.
    var idle = 3600.0
    /// How nicks are made.
    var nick = PuppetNick.preset

    init() {}

    /// Reads `mode` and `puppets` of a network's table.
    /// - Returns: Nil where all is said by the bridge itself.
    static func read(_ section: ConfigSection) throws(ConfigError) -> PuppetConfig? {
        let mode = try section.string("mode") ?? "relay"
        guard mode == "relay" || mode == "puppets" else {
            throw section.fail("mode", "must be 'relay' or 'puppets'")
        }
        let json = section.value("puppets")
        guard mode == "puppets" else {
            if json != nil { throw section.fail("puppets", "is of use with mode = \"puppets\" only") }
            return nil
        }
        var config = PuppetConfig()
        guard let json else { return config }
        let table = try ConfigSection(json, path: section.path + ".puppets", known: ["limit", "idle", "nick"])
        config.limit = try table.int("limit", default: config.limit, in: 1...mostPuppets)
        config.idle = try table.double("idle", default: config.idle, in: 0...31_536_000)
        if let template = try table.string("nick") {
            guard let nick = PuppetNick(template) else {
                throw table.fail(
                    "nick",
                    "must hold {name} once, and beside it letters, digits and -[]\\`_^{|} only, \(maxTemplate) at most")
            }
            config.nick = nick
        }
        return config
    }
}
