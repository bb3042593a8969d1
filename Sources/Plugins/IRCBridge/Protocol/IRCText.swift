import ChatMarkdown
import PluginKit

/// The text of messages: from bytes of unknown encoding, without control codes.
enum IRCText {
    /// The characters of CP1252 at 0x80…0x9F; bytes without one become U+FFFD.
    private static let cp1252: [UInt32] = [
        0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0xFFFD,
        0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A,
        0x0153, 0xFFFD, 0x017E, 0x0178,
    ]

    /// The text: UTF-8 where it is that, else CP1252.
    /// - Parameter mayBeCut: Whether a server may have cut it inside a character, to keep a line short. UTF-8 but for
    ///   the beginning of a character at its end is then taken without that, where it has more than ASCII before or
    ///   that beginning has several bytes: a single one may be the last letter of a word in CP1252.
    static func decoded(_ bytes: ArraySlice<UInt8>, mayBeCut: Bool = false) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        if mayBeCut, let rest = withoutCutCharacter(bytes),
            bytes.count - rest.count > 1 || rest.contains(where: { $0 >= 0x80 }),
            let text = String(validating: rest, as: UTF8.self)
        {
            return text
        }
        var text = ""
        for byte in bytes {
            let scalar = (0x80...0x9F).contains(byte) ? cp1252[Int(byte) - 0x80] : UInt32(byte)
            text.unicodeScalars.append(Unicode.Scalar(scalar) ?? "\u{FFFD}")
        }
        return text
    }

    /// What is before the beginning of a character that ends the bytes; nil where they do not end so.
    private static func withoutCutCharacter(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let trailers = bytes.suffix(3).reversed().prefix { $0 & 0xC0 == 0x80 }.count
        guard let lead = bytes.dropLast(trailers).last else { return nil }
        let length: Int
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0...0xEF: length = 3
        case 0xF0...0xF4: length = 4
        default: return nil
        }
        return trailers + 1 < length ? bytes.dropLast(trailers + 1) : nil
    }

    /// The text without mIRC's formatting (colour numbers included) and without control characters.
    static func plain(_ text: String) -> String { StyledText(irc: text).plain }

    /// The lines of a chat message, each without control characters, empty ones left out.
    static func lines(_ message: String) -> [String] {
        var lines: [String] = []
        var line = String.UnicodeScalarView()
        for scalar in message.unicodeScalars {
            switch scalar.value {
            case 0x0A, 0x0D, 0x85, 0x2028, 0x2029:
                if !line.isEmpty { lines.append(String(line)) }
                line = String.UnicodeScalarView()
            case 0x09: line.append(" ")
            case 0..<0x20, 0x7F...0x9F: break
            default: line.append(scalar)
            }
        }
        if !line.isEmpty { lines.append(String(line)) }
        return lines.filter { $0.unicodeScalars.contains { $0 != " " } }
    }

    /// The beginning of a text, cut between code points.
    /// - Parameter most: The most bytes.
    static func cut(_ text: String, _ most: Int) -> String {
        let bytes = text.utf8
        guard bytes.count > most else { return text }
        var end = bytes.index(text.startIndex, offsetBy: max(most, 0))
        while end > text.startIndex, bytes[end] & 0xC0 == 0x80 { end = bytes.index(before: end) }
        return String(text[..<end])
    }

    /// The longest that is shown of what a server says, in bytes.
    static let longestWords = 300

    /// What a server says, as an operator's terminal can be shown it: without control characters, also those that turn
    /// the direction of text (Unicode's bidirectional ones), and cut.
    static func words(_ text: String, most: Int = longestWords) -> String {
        // A character has several bytes, and formatting as many again: no more than that is looked at.
        let shown = ShownText.line(plain(cut(text, most * 4)))
        return shown.utf8.count > most ? cut(shown, most - 3) + "…" : shown
    }

    /// A name on one line, without control characters.
    static func name(_ name: String) -> String { lines(name).joined(separator: " ") }
}
