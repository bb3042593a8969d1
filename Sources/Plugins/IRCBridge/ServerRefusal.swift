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
    private static let banWords = ["banned", "-lined", "k-line", "g-line", "z-line", "d-line", "blacklist", "dnsbl"]
    private static let deniedWords = [
        "not authorized", "not authorised", "unauthorized", "unauthorised", "access denied", "not allowed to connect",
        "no authorization", "not welcome",
    ]

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
        } else if says(Self.banWords) || numeric == "465" || numeric == "466" {
            reason = "banned: \(words)"
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
