/// What a server says about itself (numeric 005), as far as the bridge needs it.
struct ISupport: Equatable, Sendable {
    /// How names are compared.
    var casemapping = Casemapping.rfc1459
    /// The longest nick, in bytes.
    var nickLength = 9
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
    /// The server can be asked to tell who comes and goes (MONITOR).
    var hasMonitor = false
    /// WHO can be asked for accounts (WHOX).
    var hasWHOX = false
    /// The server slows floods down by itself, without disconnecting (SAFERATE).
    var isSafeRate = false

    /// Takes the parameters of a 005 line, without the nick before and the text behind.
    mutating func take(_ tokens: some Sequence<String>) {
        for token in tokens {
            let parts = token.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? String(parts[1]) : ""
            switch parts[0] {
            case "CASEMAPPING": casemapping = Casemapping(rawValue: value) ?? casemapping
            case "NICKLEN": nickLength = Int(value).map { min(max($0, 1), 255) } ?? nickLength
            case "CHANTYPES": channelTypes = value
            // `(ov)@+`
            case "PREFIX": prefixes = value.firstIndex(of: ")").map { String(value[$0...].dropFirst()) } ?? ""
            case "TOPICLEN": topicLength = Int(value).map { min(max($0, 1), 4096) } ?? topicLength
            // No less than the RFC promises, and no more than a message of the chat can be of use with.
            case "LINELEN": longestLine = Int(value).map { min(max($0 - 2, RelayLines.maxLine), 8190) } ?? longestLine
            case "CHATHISTORY", "draft/CHATHISTORY": historyLength = Int(value).map { max($0, 0) } ?? 0
            case "WHOX": hasWHOX = true
            case "MONITOR": hasMonitor = true
            case "SAFERATE": isSafeRate = true
            default: break
            }
        }
    }
}
