import JSONBytes
import Testing

@testable import IRCBridge

@Suite struct ConfigTests {
    private func read(_ json: String) throws -> BridgeConfig {
        try BridgeConfig(JSON(parsing: Array(json.utf8)))
    }

    private func network(_ more: String) -> String {
        #"{"networks":[{"name":"net","host":"irc.example.org"\#(more)}]}"#
    }

    private func link(_ members: String) -> String {
        #"{"networks":[{"name":"net","host":"irc.example.org"}],"links":[{\#(members)}]}"#
    }

    private func problem(_ json: String) throws -> ConfigError {
        try #require(throws: ConfigError.self) { try read(json) }
    }

    @Test func defaultsAreTheDocumentedOnes() throws {
        let network = try #require(try read(network("")).networks.first)
        #expect((network.port, network.tls, network.trust.caFile) == (6697, true, nil))
        #expect((network.nick, network.user, network.realname) == ("crowbar", "crowbar", "Crowbar"))
        #expect((network.burst, network.linesPerSecond, network.maxLines) == (5, 1, 5))
        #expect(network.presence == .lazy)
        #expect(network.format == RelayFormat("<{name}> {text}"))
        #expect(try read(self.network(#","tls":false"#)).networks.first?.port == 6667)
    }

    @Test func aProxyHasAHostAndAPort() {
        #expect(Route.Proxy("socks5h://127.0.0.1:9050")?.host == "127.0.0.1")
        #expect(Route.Proxy("socks5h://[::1]:9050")?.host == "::1")
        #expect(Route.Proxy("socks5h://tor.example:65535")?.port == 65_535)
    }

    @Test(
        "wrong values",
        arguments: [
            (#","prot":1"#, "prot", "did you mean 'port'?"), (#","colour":1"#, "colour", "known are name, host"),
            (#","port":0"#, "port", "1 to 65535"), (#","port":"6667""#, "port", "whole number"),
            (#","tls":"yes""#, "tls", "true or false"), (#","nick":"two words""#, "nick", "one word"),
            (#","nick":"7up""#, "nick", "begin with a digit"), (#","nick":"-x""#, "nick", "begin with a digit or '-'"),
            (#","nick":"a.b""#, "nick", "letters, digits"), (#","nick":"a!b""#, "nick", "letters, digits"),
            (#","nick":"~a""#, "nick", "letters, digits"), (#","nick":"a,b""#, "nick", "letters, digits"),
            (#","nick":"\#(String(repeating: "n", count: 65))""#, "nick", "64 bytes at most"),
            (#","user":"a@b""#, "user", "no '@'"),
            (#","realname":"\#(String(repeating: "n", count: 401))""#, "realname", "400 bytes at most"),
            (#","realname":"a\nQUIT""#, "realname", "control characters"), (#","max_lines":-1"#, "max_lines", "0 to"),
            (#","format":"{text}""#, "format", "{name}"), (#","mode":"x""#, "mode", "must be 'relay'"),
            (#","tls":false,"ca_file":"x""#, "ca_file", "tls = true"),
            (#","tls":false,"pin":"x""#, "pin", "tls = true"), (#","pin":"sha256:00""#, "pin", "64 hexadecimal"),
            (#","pin":"sha1:\#(String(repeating: "0", count: 64))""#, "pin", "must be 'sha256:'"),
            (#","ca_file":"a","pin":"sha256:\#(String(repeating: "0", count: 64))""#, "pin", "remove one"),
            (#","client_key":"k""#, "client_key", "client_cert only"),
            (#","sasl":{"mechanism":"x","account":"a"}"#, "sasl.mechanism", "'plain', 'external', 'scram-sha-256'"),
            (#","sasl":{"mechanism":"external"}"#, "sasl.mechanism", "needs client_cert"),
            (
                #","client_cert":"c","sasl":{"mechanism":"external","password":"p"}"#, "sasl.password",
                "no use with 'external'"
            ),
            (#","sasl":{"mechanism":"scram-sha-256","account":"a"}"#, "sasl.password", "missing"),
            (#","sasl":{"account":"a"}"#, "sasl.password", "missing"),
            (#","bind":"localhost""#, "bind", "address of this machine"),
            (#","proxy":"127.0.0.1:9050""#, "proxy", "socks5h://HOST:PORT"),
            (#","proxy":"socks5h://127.0.0.1""#, "proxy", "socks5h://HOST:PORT"),
            (#","proxy":"socks5h://127.0.0.1:0""#, "proxy", "socks5h://HOST:PORT"),
            (#","proxy":"socks5h://127.0.0.1:+1""#, "proxy", "socks5h://HOST:PORT"),
            (#","proxy":"socks5h://::1:9050""#, "proxy", "socks5h://HOST:PORT"),
            (#","proxy":"socks5h://a:b@127.0.0.1:9050""#, "proxy", "passwords are not supported"),
            (#","nickserv":{"account":"a"}"#, "nickserv.password", "missing"),
            (#","nickserv":{"account":"a b","password":"p"}"#, "nickserv.account", "one word"),
            (#","nickserv":{"password":"p q"}"#, "nickserv.password", "no spaces"),
            (#","sasl":{"acount":"a"}"#, "sasl.acount", "did you mean 'account'?"),
            (#","ignore":"x""#, "ignore", "array"), (#","ignore":["a!b@c","/(/"]"#, "ignore[1]", "regular expression"),
            (#","catch_up":{"max_age":-1}"#, "catch_up.max_age", "0.0 to"),
            (#","flood":{"burst":1,"rate":1}"#, "flood.rate", "unknown key"),
        ])
    func wrongValues(more: String, key: String, reason: String) throws {
        let problem = try problem(network(more))
        #expect(problem.path == "networks[0]." + key)
        #expect(problem.message.contains(reason), "\(problem)")
    }

    @Test(
        "wrong tables",
        arguments: [
            ("{}", "networks", "at least one"), (#"{"network":[]}"#, "network", "did you mean 'networks'?"),
            (#"{"networks":{}}"#, "networks", "array of tables"),
            (#"{"networks":[{"host":"h"}]}"#, "networks[0].name", "missing"),
            (#"{"networks":[{"name":"Net","host":"h"}]}"#, "networks[0].name", "a-z"),
            (#"{"networks":[{"name":"n","host":"a b"}]}"#, "networks[0].host", "no host name"),
            (#"{"networks":[{"name":"n","host":"a"},{"name":"n","host":"b"}]}"#, "networks[1].name", "already"),
        ])
    func wrongTables(json: String, path: String, reason: String) throws {
        let problem = try problem(json)
        #expect(problem.path == path)
        #expect(problem.message.contains(reason), "\(problem)")
    }

    @Test(
        "wrong links",
        arguments: [
            (#""channel":"general","irc":"nett/#a""#, "irc", "unknown network 'nett'; did you mean 'net'?"),
            (#""channel":"general","irc":"other/#a""#, "irc", "unknown network 'other'; there are net"),
            (#""channel":"general","irc":"net""#, "irc", "must be NETWORK/#channel"),
            (#""channel":"general","irc":"net/#a b""#, "irc", "must be NETWORK/#channel"),
            (#""channel":"general","irc":"net/#a,#b""#, "irc", "must be NETWORK/#channel"),
            (#""channel":"General","irc":"net/#a""#, "channel", "a-z"), (#""irc":"net/#a""#, "channel", "missing"),
            (#""channel":"general","irc":"net/#a","direction":"out""#, "direction", "'both', 'to_irc' or 'to_chat'"),
            (#""channel":"general","irc":"net/#a","key":"a b""#, "key", "one word"),
            (#""channel":"general","irc":"net/#a","key":"a,b""#, "key", "no comma"),
            (
                #""channel":"general","irc":"net/#a","key":"\#(String(repeating: "k", count: 201))""#, "key",
                "200 bytes at most"
            ),
            (#""channel":"general","irc":"net/#a","chanel":"x""#, "chanel", "did you mean 'channel'?"),
        ])
    func wrongLinks(members: String, key: String, reason: String) throws {
        let problem = try problem(link(members))
        #expect(problem.path == "links[0]." + key)
        #expect(problem.message.contains(reason), "\(problem)")
    }

    @Test func aLinkGivenTwiceIsOne() throws {
        let twice = #"{"channel":"a","irc":"net/#A"},{"channel":"a","irc":"net/#a"}"#
        let json = #"{"networks":[{"name":"net","host":"h"}],"links":[\#(twice)]}"#
        #expect(try problem(json).path == "links[1]")
    }

    @Test func aChannelIsWrittenInOneWay() throws {
        func links(_ first: String, _ second: String) -> String {
            let links = #"{"channel":"a","irc":"\#(first)"},{"channel":"b","irc":"\#(second)"}"#
            return #"{"networks":[{"name":"net","host":"h"},{"name":"two","host":"h"}],"links":[\#(links)]}"#
        }
        let problem = try problem(links("net/#a[", "net/#a{"))
        #expect(problem.path == "links[1].irc")
        #expect(problem.message.contains("'#a{' and '#a[' are one channel where"))
        for (first, second) in [("net/#a[", "net/#A["), ("net/#a[", "two/#a{"), ("net/#a", "net/#b")] {
            #expect(try read(links(first, second)).links.count == 2)
        }
    }

    @Test(
        "hosts that can be connected to",
        arguments: [
            ("localhost", true), ("irc.example.org", true), ("127.0.0.1", true), ("::1", true), ("fe80::1%eth0", false),
            ("-x.org", false), ("a_b.org", false), ("", false),
        ])
    func hosts(host: String, isGood: Bool) {
        #expect(Hostname.canConnect(host) == isGood)
    }

    @Test(
        "connections of users",
        arguments: [
            (#","mode":"both""#, "mode"), (#","puppets":{}"#, "puppets"),
            (#","mode":"puppets","puppets":{"limit":0}"#, "puppets.limit"),
            (#","mode":"puppets","puppets":{"idle":-1}"#, "puppets.idle"),
            (#","mode":"puppets","puppets":{"nick":"x"}"#, "puppets.nick"),
            (#","mode":"puppets","puppets":{"suffix":"x"}"#, "puppets.suffix"),
        ])
    func wrongPuppets(more: String, key: String) throws {
        #expect(try problem(network(more)).path == "networks[0]." + key)
    }

    @Test func puppets() throws {
        #expect(try read(network("")).networks.first?.puppets == nil)
        #expect(try read(network(#","mode":"puppets""#)).networks.first?.puppets == PuppetConfig())
        let more = #","mode":"puppets","puppets":{"limit":3,"idle":0,"nick":"c-{name}"}"#
        let puppets = try read(network(more)).networks.first?.puppets
        #expect(puppets?.limit == 3)
        #expect(puppets?.idle == 0)
        #expect(puppets?.nick == PuppetNick("c-{name}"))
    }
}
