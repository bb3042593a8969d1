/// Cuts what a server writes into lines, however it comes: each ends with LF, and the CRs before that are no part of it
/// (RFC 1459 2.3).
struct LineDecoder: Sendable {
    /// The longest line taken, in bytes: 8,191 of tags and 512 (IRCv3 message-tags), with room for a loose server.
    static let maxLine = 16 << 10

    private var partial: [UInt8] = []

    /// Takes what has come.
    /// - Returns: The lines that are whole now, and whether there is one over ``maxLine`` behind them, of which and
    ///   after which nothing more is decoded.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> (lines: [[UInt8]], isTooLong: Bool) {
        var lines: [[UInt8]] = []
        var start = 0
        for at in 0..<bytes.count where bytes[at] == 0x0A {
            var line = partial
            partial = []
            line.append(contentsOf: bytes[start..<at])
            start = at + 1
            while line.last == 0x0D { line.removeLast() }
            // One that has come with its end is no shorter than one without.
            if line.count > Self.maxLine { return (lines, true) }
            lines.append(line)
        }
        partial.append(contentsOf: bytes[start...])
        guard partial.count > Self.maxLine else { return (lines, false) }
        partial = []
        return (lines, true)
    }
}
