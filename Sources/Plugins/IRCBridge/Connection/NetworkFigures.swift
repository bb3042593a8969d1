/// How a network has done since the bridge was started, or the network added.
struct NetworkFigures: Equatable, Sendable {
    /// Times that the client was registered.
    private(set) var registrations = 0
    /// Times that servers of the network lost each other.
    var netsplits = 0
    /// Between what was asked and the server's answer to it, in milliseconds; nil until there was one.
    private(set) var lag: Int?
    private var asked: (key: String, at: Instant)?

    static func == (a: NetworkFigures, b: NetworkFigures) -> Bool {
        (a.registrations, a.netsplits, a.lag) == (b.registrations, b.netsplits, b.lag)
    }

    /// Number of reconnects.
    var reconnects: Int { max(0, registrations - 1) }

    /// The server has accepted the client.
    mutating func registered() {
        registrations += 1
        asked = nil
    }

    /// A line is written. The server answers one with a label or a PING; one at a time is looked at.
    mutating func sent(_ line: String, now: Instant) {
        guard asked == nil else { return }
        if line.hasPrefix("PING :") {
            asked = (String(line.dropFirst(6)), now)
        } else if line.hasPrefix("@label=") {
            asked = (String(line.dropFirst(7).prefix { $0 != " " && $0 != ";" }), now)
        }
    }

    /// The server is asked something else that its answer to can be told by.
    mutating func asked(_ key: String, now: Instant) {
        if asked == nil { asked = (key, now) }
    }

    /// What is timed will not be answered.
    mutating func giveUp() { asked = nil }

    /// The server has answered a PING, a label or another question.
    /// - Returns: When it was asked, where it is the one that is timed.
    mutating func answered(_ key: String, now: Instant) -> Instant? {
        guard let asked, asked.key == key else { return nil }
        lag = Int(((now - asked.at) * 1000).rounded())
        self.asked = nil
        return asked.at
    }
}
