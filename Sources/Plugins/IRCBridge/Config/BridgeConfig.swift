import JSONBytes
import OpenSSL

/// The bridge's whole configuration: `[config]` of its manifest (docs/irc.md).
struct BridgeConfig: Equatable, Sendable {
    /// The most networks, each with a connection.
    static let maxNetworks = 64
    /// The most links.
    static let maxLinks = 1000

    var networks: [NetworkConfig] = []
    var links: [LinkConfig] = []

    /// Reads and checks the whole.
    /// - Throws: ``ConfigError`` at the first key that is not right.
    init(_ json: JSON) throws(ConfigError) {
        let section = try ConfigSection(json, path: "", known: ["networks", "links"])
        for (path, value) in try section.tables("networks") {
            let network = try NetworkConfig(value, path: path)
            guard !networks.contains(where: { $0.name == network.name }) else {
                throw ConfigError(path: path + ".name", message: "there is a network '\(network.name)' already")
            }
            networks.append(network)
        }
        guard !networks.isEmpty else { throw section.fail("networks", "at least one is needed") }
        guard networks.count <= Self.maxNetworks else {
            throw section.fail("networks", "are more than \(Self.maxNetworks)")
        }
        let names = networks.map(\.name)
        for (path, value) in try section.tables("links") {
            let link = try LinkConfig(value, path: path, networks: names)
            let twice = links.contains {
                $0.channel == link.channel && $0.network == link.network
                    && Casemapping.rfc1459.fold($0.target) == Casemapping.rfc1459.fold(link.target)
            }
            guard !twice else { throw ConfigError(path: path, message: "is the same link as one before") }
            try Self.checkSpelling(link, against: links, path: path)
            links.append(link)
        }
        guard links.count <= Self.maxLinks else { throw section.fail("links", "are more than \(Self.maxLinks)") }
    }

    /// Maximum number of problems reported for one configuration.
    static let maxProblems = 100

    /// Everything that is wrong, as it is found: each mistake is taken away, and the rest read again.
    static func problems(_ json: JSON) -> [ConfigError] {
        var problems: [ConfigError] = []
        var rest = PrunedJSON(json)
        // The names of networks that are wrong, which have others from then on.
        var wrongNames: [String] = []
        // Each turn mends one thing, which may be one that another made wrong.
        for turn in 0..<maxProblems * 4 where problems.count < maxProblems {
            do throws(ConfigError) {
                try BridgeConfig(rest.json).checkFiles()
                break
            } catch {
                let path = rest.original(error.path)
                // What was taken away is missing now.
                let isFollowing =
                    problems.contains { $0.path == path } || isLink(error.message, to: wrongNames)
                if !isFollowing {
                    problems.append(ConfigError(path: path, message: error.message))
                    if let name = networkName(path, json) { wrongNames.append(name) }
                    if rest.remove(path) { continue }
                }
                guard let standIn = standIn(path, rest.json, turn), rest.put(standIn, at: path) else { break }
            }
        }
        return problems
    }

    /// Whether an error is about a link to one of these networks, as its name is or is meant to be.
    private static func isLink(_ message: String, to names: [String]) -> Bool {
        guard message.hasPrefix(unknownNetwork) else { return false }
        let name = message.dropFirst(unknownNetwork.count + 1).prefix { $0 != "'" }
        return NearestName.to(String(name), among: names) != nil
    }

    /// The name that a network has at `networks[…].name`.
    private static func networkName(_ path: String, _ json: JSON) -> String? {
        guard path.hasPrefix("networks["), path.hasSuffix("].name"), let index = Int(path.dropFirst(9).dropLast(6)),
            let networks = json["networks"]?.array, networks.indices.contains(index)
        else { return nil }
        return networks[index]["name"]?.string
    }

    /// A value with which the rest of a table can be read where one that is needed is wrong or missing.
    /// - Parameter serial: Makes it another one than all before.
    private static func standIn(_ path: String, _ json: JSON, _ serial: Int) -> JSON? {
        switch path.split(separator: ".").last {
        case "name": .string("network-\(serial)")
        case "host": .string("localhost")
        case "channel": .string("channel-\(serial)")
        case "irc": json["networks"]?.array?.first?["name"]?.string.map { .string("\($0)/#channel-\(serial)") }
        case "account", "password": .string("x")
        default: nil
        }
    }

    /// How the error of a link to a network that is not there begins.
    static let unknownNetwork = "unknown network "

    /// Checks that no two links write a channel in two ways that only some servers hold to be the same: the bridge
    /// compares as RFC 1459 does, and where CASEMAPPING is `ascii` would mix two channels up.
    private static func checkSpelling(
        _ link: LinkConfig, against links: [LinkConfig], path: String
    ) throws(ConfigError) {
        let like = links.first { other in
            other.network == link.network
                && Casemapping.rfc1459.fold(other.target) == Casemapping.rfc1459.fold(link.target)
                && Casemapping.ascii.fold(other.target) != Casemapping.ascii.fold(link.target)
        }
        guard let like else { return }
        throw ConfigError(
            path: path + ".irc",
            message: "'\(link.target)' and '\(like.target)' are one channel where a server holds []\\^ to be the "
                + "capitals of {}|~: write it the same way in all links, or link one of the two only")
    }

    /// Reads the files of certificates, so that a wrong one is an error now and not at the first connection.
    func checkFiles() throws(ConfigError) {
        for (i, network) in networks.enumerated() { try network.trust.check(path: "networks[\(i)]") }
    }
}
