import ChatMarkdown

// mIRC's formatting: one byte switches a style on or off (https://modern.ircdocs.horse/formatting).
extension StyledText {
    private static let codes: [(style: Style, code: UInt8)] = [
        (.bold, 0x02), (.italic, 0x1D), (.underline, 0x1F), (.strike, 0x1E), (.code, 0x11),
    ]
    /// The most bytes that switch on all styles.
    static let mostCodes = codes.count

    /// Reads a message of IRC of one or several lines, each of which begins without a style.
    init(ircLines text: String) {
        guard text.utf8.contains(UInt8(ascii: "\n")) else {
            self.init(irc: text)
            return
        }
        self.init()
        for (i, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if i > 0 { append("\n", []) }
            for run in StyledText(irc: String(line)).runs { append(run.text, run.style) }
        }
    }

    /// Reads a line of a message of IRC: colours and other control characters are dropped.
    init(irc text: String) {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0xC2 }) else {
            self.init([Run(text: text)])
            return
        }
        self.init()
        let bytes = Array(text.utf8)
        var part: [UInt8] = []
        var style: Style = []
        var at = 0
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if let code = Self.codes.first(where: { $0.code == byte }) {
                append(String(decoding: part, as: UTF8.self), style)
                part = []
                style.formSymmetricDifference(code.style)
                continue
            }
            switch byte {
            case 0x03, 0x04: Self.skipColour(bytes, &at, isHex: byte == 0x04)
            case 0x09: part.append(0x20)
            case 0x0F:
                append(String(decoding: part, as: UTF8.self), style)
                (part, style) = ([], [])
            case 0..<0x20, 0x7F: break
            // U+0080…U+009F, the second set of control characters.
            case 0xC2 where at < bytes.count && bytes[at] < 0xA0: at += 1
            default: part.append(byte)
            }
        }
        append(String(decoding: part, as: UTF8.self), style)
    }

    /// Skips the numbers of a colour: one or two digits, or six hexadecimal ones, and after a comma as many again.
    private static func skipColour(_ bytes: [UInt8], _ at: inout Int, isHex: Bool) {
        func isPart(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte)
                || isHex && ((0x41...0x46).contains(byte) || (0x61...0x66).contains(byte))
        }
        func skip() -> Bool {
            let start = at
            while at < bytes.count, at - start < (isHex ? 6 : 2), isPart(bytes[at]) { at += 1 }
            return at > start
        }
        if skip(), at + 1 < bytes.count, bytes[at] == 0x2C, isPart(bytes[at + 1]) {
            at += 1
            _ = skip()
        }
    }

    /// The text with mIRC's codes. What is on at its end stays on: the end of a line ends it.
    var irc: String {
        if runs.count == 1, runs[0].style.isEmpty { return runs[0].text }
        var out = ""
        var style: Style = []
        for run in runs {
            out += Self.switches(style.symmetricDifference(run.style)) + run.text
            style = run.style
        }
        return out
    }

    /// ``irc`` with what is on at its end switched off, for where the end of a line may not do that.
    var closedIRC: String { irc + Self.switches(runs.last?.style ?? []) }

    private static func switches(_ styles: Style) -> String {
        String(decoding: codes.filter { styles.contains($0.style) }.map(\.code), as: UTF8.self)
    }

    /// The text with mIRC's codes in pieces of so many bytes, each of which says again what is on at its beginning.
    func pieces(budget: Int) -> [String] {
        let text = irc
        guard text.utf8.count > budget else { return [text] }
        guard runs.contains(where: { !$0.style.isEmpty }) else { return MessageSplitter.split(text, budget: budget) }
        var style: Style = []
        return MessageSplitter.split(text, budget: budget - Self.mostCodes).map { piece in
            let before = style
            for byte in piece.utf8 {
                if let code = Self.codes.first(where: { $0.code == byte }) { style.formSymmetricDifference(code.style) }
            }
            return Self.switches(before) + piece
        }
    }
}
