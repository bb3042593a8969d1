/// What a server means that does not let a client in: its numerics 464 to 466, or the words of its `ERROR`.
///
/// Servers name a wrong password in many ways, and some not at all: InspIRCd says `Access denied by configuration` to a
/// wrong password and to an address that it does not know alike. So only what says so is called a ban.
struct ServerRefusal: Equatable, Sendable {
    /// For the operator, with the server's words.
    var reason: String
    /// Whether trying again soon is of no use.
    var isFinal: Bool

    private static let passwordWords = ["password", "passwd", "passphrase"]
    /// Servers say it in many ways: `You are banned`, `Autokilled`, `listed in DroneBL`; ``isLine(_:)`` has the others.
    private static let banWords = [
        "banned", "banished", "akill", "autokill", "auto-kill", "blacklist", "blocklist", "dnsbl", "dronebl", "rbl.",
        "open proxy", "listed in",
    ]
    /// How they say that too many come from an address, or too often.
    private static let throttleWords = [
        "throttle", "too many", "too fast", "no more connections", "connection limit", "connections allowed",
    ]
    /// What the kinds of bans are called for that a server has on a line of its configuration each.
    private static let lineKinds: Set<Substring> = ["k", "g", "z", "d", "x", "q", "r", "gz", "kl", "gl"]
    private static let deniedWords = [
        "not authorized", "not authorised", "unauthorized", "unauthorised", "access denied", "not allowed to connect",
        "no authorization", "not welcome",
    ]

    /// Whether a server's words name a ban.
    static func isBan(_ words: String) -> Bool {
        let small = words.lowercased()
        return banWords.contains { small.contains($0) }
            || small.split { !($0.isLetter || "-:".contains($0)) }
                .contains(where: isLine)
            || small.contains("k line")
    }

    /// Whether a word names a line of bans: `k-lined`, `z:lined`, `glined`, `d-line`.
    private static func isLine(_ word: Substring) -> Bool {
        var word = word
        while let last = word.last, "-:".contains(last) { word.removeLast() }
        for end in ["lined", "lines", "line"] where word.hasSuffix(end) {
            var kind = word.dropLast(end.count)
            if let last = kind.last, "-:".contains(last) { kind.removeLast() }
            return lineKinds.contains(kind)
        }
        return false
    }

    /// Reads a refusal.
    /// - Parameters:
    ///   - numeric: 464 (`ERR_PASSWDMISMATCH`), 465 (`ERR_YOUREBANNEDCREEP`), 466; nil for an `ERROR`.
    ///   - words: What the server says.
    ///   - hasPassword: Whether `server_password` is set.
    init(numeric: String?, words: String, hasPassword: Bool) {
        let small = words.lowercased()
        func says(_ list: [String]) -> Bool { list.contains { small.contains($0) } }
        if numeric == "464" || says(Self.passwordWords) {
            reason =
                hasPassword
                ? "wrong server_password: \(words)" : "the server wants a password, set server_password: \(words)"
            isFinal = true
        } else if Self.isBan(words) || numeric == "465" || numeric == "466" {
            reason = "banned: \(words)"
            isFinal = true
        } else if says(Self.throttleWords) {
            reason = "the server lets in no more from this address for now: \(words)"
            isFinal = true
        } else if says(Self.deniedWords) {
            reason =
                "the server does not let the bridge in (a \(hasPassword ? "wrong" : "missing") server_password, or an "
                + "address that it does not accept): \(words)"
            isFinal = true
        } else {
            reason = "the server closed the link: \(words)"
            isFinal = false
        }
    }
}
