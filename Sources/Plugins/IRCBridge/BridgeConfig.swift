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
