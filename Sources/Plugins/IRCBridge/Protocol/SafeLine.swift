/// The last word on what is written to a server: whatever it was made of, a line is one line and no longer than servers
/// take (RFC 1459 2.3). What makes lines keeps to that by itself; a server that says what no server should, such as a
/// PING of a thousand bytes, is not to be given the chance to make it write another line.
enum SafeLine {
    /// A line without NUL, CR and LF, cut to the limit between code points.
    /// - Parameter longest: The most bytes, the tags and CR LF not counted.
    static func of(_ line: String, longest: Int) -> String {
        let isWhole = line.utf8.allSatisfy { !isEnd($0) }
        if isWhole, line.utf8.count - tagsLength(line) <= longest { return line }
        let clean = isWhole ? line : String(decoding: line.utf8.filter { !isEnd($0) }, as: UTF8.self)
        return IRCText.cut(clean, longest + tagsLength(clean))
    }

    private static func isEnd(_ byte: UInt8) -> Bool { byte == 0x0A || byte == 0x0D || byte == 0 }

    /// Bytes of the tags with the space behind them.
    private static func tagsLength(_ line: String) -> Int {
        guard line.utf8.first == 0x40, let space = line.utf8.firstIndex(of: 0x20) else { return 0 }
        return line.utf8.distance(from: line.startIndex, to: space) + 1
    }
}
