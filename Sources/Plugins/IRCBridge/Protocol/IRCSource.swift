/// Who a line is from: a nick with user and host, or a server's name.
struct IRCSource: Equatable, Sendable {
    /// The nick, or the server's name.
    var nick: String
    /// The user name, empty where none is given.
    var user: String
    /// The host, empty where none is given.
    var host: String

    /// The longest nick, user name, host or account that is believed, in bytes; well over what servers allow.
    static let longestName = 128

    /// Whether a nick, user name, host or account can be one: not too long, and nothing in it that could end a line or
    /// a parameter.
    static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= longestName && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
    }

    /// Takes a source apart: `nick[!user][@host]`.
    init(_ source: String) {
        // By bytes: what stands behind a sign could otherwise combine with it.
        var rest = source.utf8[...]
        host = ""
        user = ""
        if let at = rest.firstIndex(of: UInt8(ascii: "@")) {
            host = String(Substring(rest[rest.index(after: at)...]))
            rest = rest[..<at]
        }
        if let mark = rest.firstIndex(of: UInt8(ascii: "!")) {
            user = String(Substring(rest[rest.index(after: mark)...]))
            rest = rest[..<mark]
        }
        nick = String(Substring(rest))
    }
}
