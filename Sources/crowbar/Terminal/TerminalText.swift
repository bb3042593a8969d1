/// Text from elsewhere (plugins, chat users, targets, configuration files) on its way to an operator's terminal.
///
/// What would move the cursor, change the terminal's state, reorder what is read or hide itself is shown as the escape
/// that JSON has for it (`\u001b`), so that the same rule is right for words and for lines of JSON.
enum TerminalText {
    /// Scalars of one character that are shown: more are marks that pile up over the lines beside it.
    static let maxScalars = 16

    /// Whether a scalar is shown as its escape.
    static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20..<0x7F: return false
        // What joins or parts letters (Persian, Indic scripts, emoji) changes no order and hides nothing.
        case 0x200C, 0x200D: return false
        // Letters by their class, blank to the eye.
        case 0x115F, 0x1160, 0x3164, 0xFFA0: return true
        default:
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: return true
            default: return false
            }
        }
    }

    /// A text as one line: line breaks and tabs become spaces, what is unsafe its escape.
    static func line(_ text: String) -> String {
        if text.utf8.allSatisfy(isPlain) { return text }
        var shown = ""
        for character in text {
            if character.isNewline || character == "\t" {
                shown.append(" ")
                continue
            }
            for scalar in character.unicodeScalars.prefix(maxScalars) { append(scalar, to: &shown.unicodeScalars) }
        }
        return shown
    }

    /// Lines as they may go to a terminal: line breaks and tabs stay.
    static func lines(_ bytes: [UInt8]) -> [UInt8] {
        if bytes.allSatisfy({ isPlain($0) || $0 == 0x0A || $0 == 0x09 }) { return bytes }
        var shown = String.UnicodeScalarView()
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "\n", "\t": shown.append(scalar)
            // JSON may have it between its members, where an escape would break it.
            case "\r": shown.append(" ")
            default: append(scalar, to: &shown)
            }
        }
        return Array(String(shown).utf8)
    }

    private static func isPlain(_ byte: UInt8) -> Bool { (0x20..<0x7F).contains(byte) }

    private static func append(_ scalar: Unicode.Scalar, to shown: inout String.UnicodeScalarView) {
        guard isUnsafe(scalar) else { return shown.append(scalar) }
        let digits = Array("0123456789abcdef".unicodeScalars)
        for unit in String(scalar).utf16 {
            shown.append(contentsOf: "\\u".unicodeScalars)
            for shift in [12, 8, 4, 0] as [UInt16] { shown.append(digits[Int(unit >> shift & 15)]) }
        }
    }

    // MARK: Columns

    /// The columns that a text takes on a terminal.
    static func width(_ text: String) -> Int {
        if text.utf8.allSatisfy(isPlain) { return text.utf8.count }
        return text.reduce(0) { $0 + width($1) }
    }

    private static func width(_ character: Character) -> Int {
        let scalars = character.unicodeScalars
        guard let first = scalars.first else { return 0 }
        switch first.properties.generalCategory {
        // A mark without a letter before it.
        case .nonspacingMark, .enclosingMark: return 0
        default: break
        }
        // The second is the selector that asks for the picture instead of the sign.
        return isWide(first) || scalars.dropFirst().first?.value == 0xFE0F ? 2 : 1
    }

    /// The wide ranges of Unicode's East Asian Width, whole blocks at a time, and pictures.
    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x1100..<0x1160, 0x2E80..<0x303F, 0x3041..<0xA4D0, 0xA960..<0xA980, 0xAC00..<0xD7A4, 0xF900..<0xFB00,
            0xFE30..<0xFE70, 0xFF00..<0xFF61, 0xFFE0..<0xFFE7, 0x20000..<0x3FFFE:
            true
        default: scalar.properties.isEmojiPresentation
        }
    }

    /// A text cut to so many columns, with an ellipsis where something is left out.
    static func cut(_ text: String, to columns: Int) -> String {
        if width(text) <= columns { return text }
        var (cut, taken) = ("", 0)
        for character in text {
            taken += width(character)
            if taken >= columns { break }
            cut.append(character)
        }
        return cut + "…"
    }

    /// A text in one line, cut to so many columns where it is longer, and then with the command that prints all of it.
    static func cut(_ text: String, to columns: Int, more command: String) -> String {
        let line = line(text)
        if width(line) <= columns { return line }
        let end = " (\(command))"
        return cut(line, to: max(1, columns - width(end))) + end
    }
}
