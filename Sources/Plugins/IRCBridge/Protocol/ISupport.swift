/// What a server says about itself (numeric 005), as far as the bridge needs it.
///
/// UTF8ONLY asks for nothing: all that is written is UTF-8.
struct ISupport: Equatable, Sendable {
    /// The most marks of channels or of people that are believed; each name of a list is compared with all of them.
    static let mostMarks = 32

    /// The shortest limits that are believed, in bytes, of topics (RFC 1459 servers took 80) and of hosts (`a.b`, an
    /// address): by a shorter one a topic is cut to nothing, or lines are written longer than fits.
    static let leastTopic = 16, leastHost = 15

    /// How names are compared.
    var casemapping = Casemapping.rfc1459
    /// The longest nick, in bytes.
    var nickLength = 9
    /// The longest user name, without the `~` that may stand before it, and the longest host, in bytes.
    var userLength = 10
    var hostLength = 63
    /// What names of channels begin with.
    var channelTypes = "#&"
    /// The marks before nicks in lists: of operators, of the voiced and so on.
    var prefixes = "@+"
    /// The longest topic, in bytes.
    var topicLength = 390
    /// The longest line without its tags and CR LF, in bytes (LINELEN, of Ergo and others; 512 with CR LF by RFC 1459).
    var longestLine = RelayLines.maxLine
    /// Lines of history at once; 0: no limit told.
    var historyLength = 0
    /// How a history can be asked for, the best first: `msgid`, `timestamp` (MSGREFTYPES); empty where it is not told.
    var messageReferenceTypes: [String] = []
    /// The server can be asked to tell who comes and goes (MONITOR).
    var hasMonitor = false
    /// WHO can be asked for accounts (WHOX).
    var hasWHOX = false
    /// The server slows floods down by itself, without disconnecting (SAFERATE).
    var isSafeRate = false
    /// Targets of a command (TARGMAX); where it has no limit, `Int.max`.
    private var targets: [String: Int] = [:]

    /// The client-only tags that the server drops, without `+` (CLIENTTAGDENY).
    private var deniedTags: Set<String> = []
    /// The most of them that are noted.
    private static let mostDenied = 64

    /// Whether the server passes a client-only tag on, named without `+`.
    func passesTag(_ name: String) -> Bool {
        deniedTags.contains("*") ? deniedTags.contains("-" + name) : !deniedTags.contains(name)
    }

    /// How many targets a command may have; nil where the server does not say. JOIN may have many even then.
    func most(of command: String) -> Int? { targets[command] }

    /// Whether a target is a channel: neither a nick nor a part of a channel's people, as in `@#channel`.
    func isChannel(_ target: String) -> Bool { target.first.map { channelTypes.contains($0) } == true }

    /// Takes the parameters of a 005 line, without the nick before and the text behind.
    mutating func take(_ tokens: some Sequence<String>) {
        for token in tokens {
            if token.hasPrefix("-") {
                negate(String(token.dropFirst()))
                continue
            }
            let parts = token.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            take(String(parts[0]), parts.count > 1 ? Self.unescaped(parts[1]) : "")
        }
    }

    private mutating func take(_ name: String, _ value: String) {
        switch name {
        case "CASEMAPPING": casemapping = Casemapping(rawValue: value) ?? casemapping
        case "NICKLEN": nickLength = Self.length(value, 1, 255) ?? nickLength
        case "USERLEN": userLength = Self.length(value, 1, 64) ?? userLength
        case "HOSTLEN": hostLength = Self.length(value, Self.leastHost, 255) ?? hostLength
        case "CHANTYPES": channelTypes = String(value.prefix(Self.mostMarks))
        // `(ov)@+`
        case "PREFIX":
            let marks = value.firstIndex(of: ")").map { value[$0...].dropFirst() } ?? ""
            prefixes = String(marks.prefix(Self.mostMarks))
        case "TOPICLEN": topicLength = Self.length(value, Self.leastTopic, 4096) ?? topicLength
        // No less than the RFC promises, and no more than a message of the chat can be of use with.
        case "LINELEN": longestLine = Self.length(value, RelayLines.maxLine + 2, 8192).map { $0 - 2 } ?? longestLine
        case "CHATHISTORY", "draft/CHATHISTORY": historyLength = Int(value).map { max($0, 0) } ?? 0
        case "MSGREFTYPES": messageReferenceTypes = value.split(separator: ",").map(String.init)
        // `JOIN:4,PRIVMSG:1,WHO:`
        case "TARGMAX":
            targets = [:]
            for limit in value.split(separator: ",") {
                let parts = limit.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                targets[parts[0].uppercased()] = parts.count > 1 ? Int(parts[1]).map { max($0, 1) } ?? .max : .max
            }
        case "CLIENTTAGDENY": deniedTags = Set(value.split(separator: ",").prefix(Self.mostDenied).map(String.init))
        case "WHOX": hasWHOX = true
        // A limit of none is no offer.
        case "MONITOR": hasMonitor = Int(value) != 0
        case "SAFERATE": isSafeRate = true
        default: break
        }
    }

    /// A limit in bytes; nil where the value says none. Zero is none: it stands for "no limit" or is a mistake, as a
    /// server that allows nothing would not offer the thing. What is less than `least` is no limit that a server has.
    private static func length(_ value: String, _ least: Int, _ most: Int) -> Int? {
        guard !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        // More digits than a number has are a large number.
        let number = Int(value) ?? .max
        return number < least ? nil : min(number, most)
    }

    /// The server takes back what it said: `-NAME`.
    private mutating func negate(_ name: String) {
        let fresh = ISupport()
        switch name {
        case "CASEMAPPING": casemapping = fresh.casemapping
        case "NICKLEN": nickLength = fresh.nickLength
        case "USERLEN": userLength = fresh.userLength
        case "HOSTLEN": hostLength = fresh.hostLength
        case "CHANTYPES": channelTypes = fresh.channelTypes
        case "PREFIX": prefixes = fresh.prefixes
        case "TOPICLEN": topicLength = fresh.topicLength
        case "LINELEN": longestLine = fresh.longestLine
        case "CHATHISTORY", "draft/CHATHISTORY": historyLength = fresh.historyLength
        case "MSGREFTYPES": messageReferenceTypes = []
        case "TARGMAX": targets = [:]
        case "CLIENTTAGDENY": deniedTags = []
        case "WHOX": hasWHOX = false
        case "MONITOR": hasMonitor = false
        case "SAFERATE": isSafeRate = false
        default: break
        }
    }

    /// A value with its `\xHH` as the byte that it stands for.
    private static func unescaped(_ value: Substring) -> String {
        guard value.contains("\\") else { return String(value) }
        var bytes: [UInt8] = []
        var rest = Array(value.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == 0x5C, rest.first == 0x78, rest.count >= 3,
                let code = UInt8(String(decoding: rest.dropFirst().prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
