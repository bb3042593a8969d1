/// Finds URLs in text. Nothing inside a URL is formatting, a mention or an escape.
///
/// A URL is a scheme with `://`, or `www.`, at the start of a word or behind a letter of a script that has no spaces
/// between words, and what follows up to white space, `<`, `>`, `"`, `|`, `\`, a backtick, a control character or CJK
/// punctuation. It also ends at a closing bracket that it did not
/// open, and before punctuation at its end. Scanning takes time linear in the text.
package enum URLScanner {
    /// The longest scheme, in characters.
    static let longestScheme = 24

    /// Whether a text may contain a URL: a check of its bytes, as most texts contain none.
    package static func mayContainURL(_ text: String) -> Bool {
        var (slashes, ws) = (0, 0)
        var isAfterColon = false
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "/"):
                slashes += 1
                if slashes == 2, isAfterColon { return true }
                ws = 0
                continue
            case UInt8(ascii: "w"), UInt8(ascii: "W"): ws += 1
            case UInt8(ascii: "."): if ws >= 3 { return true } else { ws = 0 }
            default: ws = 0
            }
            slashes = 0
            isAfterColon = byte == UInt8(ascii: ":")
        }
        return false
    }

    /// The URLs of a text, in order.
    package static func ranges(_ text: [Character]) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var at = 0
        while at < text.count {
            let end = end(text, at)
            if end > at { ranges.append(at..<end) }
            at = max(end, at + 1)
        }
        return ranges
    }

    /// Where a URL that begins at a place ends; the place itself if none begins there.
    /// - Parameter closes: Whether a sign, so often, closes a style, so that it does not belong to a URL at its end.
    package static func end(
        _ text: [Character], _ start: Int, closes: (_ sign: Character, _ count: Int) -> Bool = { _, _ in false }
    ) -> Int {
        guard isLetterOfASCII(text[start]), start == 0 || !isWord(text[start - 1]) || isUnspaced(text[start - 1])
        else { return start }
        guard let body = schemeEnd(text, start) ?? wwwEnd(text, start), body < text.count,
            text[body] == "[" || !isTrimmed(text[body]) && !isMark(text[body])
        else { return start }
        var end = body
        // How many brackets of each kind are open.
        var open: [Character: Int] = [:]
        scan: while end < text.count, !isTerminator(text[end]) {
            switch text[end] {
            case "(", "[", "{": open[text[end], default: 0] += 1
            case ")", "]", "}":
                let opening: Character = text[end] == ")" ? "(" : text[end] == "]" ? "[" : "{"
                guard open[opening, default: 0] > 0 else { break scan }
                open[opening, default: 0] -= 1
            default: break
            }
            end += 1
        }
        while end > body {
            let sign = text[end - 1]
            if isTrimmed(sign) {
                end -= 1
            } else if isMark(sign) {
                var count = 1
                while end - count > body, text[end - count - 1] == sign { count += 1 }
                guard closes(sign, count) else { break }
                end -= count
            } else {
                break
            }
        }
        return end > body ? end : start
    }

    /// Whether a character is part of a word: a letter or a digit.
    package static func isWord(_ character: Character?) -> Bool {
        character.map { $0.isLetter || $0.isNumber } ?? false
    }

    /// Whether a character is of a script that has no spaces between words: Han, kana, Thai, Lao, Burmese, Khmer.
    private static func isUnspaced(_ character: Character) -> Bool {
        guard let scalar = character.unicodeScalars.first else { return false }
        switch scalar.value {
        case 0x0E01...0x0EFF, 0x1000...0x109F, 0x1780...0x17FF, 0x3005...0x3007, 0x3041...0x30FF, 0x31F0...0x31FF,
            0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0xFF66...0xFF9F, 0x20000...0x3FFFF:
            return true
        default: return false
        }
    }

    private static func isMark(_ character: Character) -> Bool {
        character == "*" || character == "_" || character == "~"
    }

    private static func isLetterOfASCII(_ character: Character) -> Bool {
        guard let byte = character.asciiValue else { return false }
        return (0x41...0x5A).contains(byte & ~0x20)
    }

    /// The place behind `scheme://`.
    private static func schemeEnd(_ text: [Character], _ start: Int) -> Int? {
        var at = start + 1
        while at < text.count, at - start <= longestScheme, isSchemePart(text[at]) { at += 1 }
        // A single letter is a drive of Windows.
        guard at - start >= 2, at + 2 < text.count, text[at] == ":", text[at + 1] == "/", text[at + 2] == "/" else {
            return nil
        }
        return at + 3
    }

    /// The place behind `www.`, if a letter or a digit follows.
    private static func wwwEnd(_ text: [Character], _ start: Int) -> Int? {
        guard start + 4 < text.count, text[start + 3] == ".", isWord(text[start + 4]),
            text[start..<(start + 3)].allSatisfy({ $0 == "w" || $0 == "W" })
        else { return nil }
        return start + 4
    }

    private static func isSchemePart(_ character: Character) -> Bool {
        guard let byte = character.asciiValue else { return false }
        return isLetterOfASCII(character) || (0x30...0x39).contains(byte) || byte == 0x2B || byte == 0x2D
            || byte == 0x2E
    }

    private static func isTerminator(_ character: Character) -> Bool {
        guard let scalar = character.unicodeScalars.first else { return true }
        switch scalar.value {
        case 0...0x20, 0x22, 0x3C, 0x3E, 0x5C, 0x60, 0x7C, 0x7F...0xA0: return true
        case 0x21...0x7E: return false
        // Spaces without width, and the punctuation of text that has no spaces between words.
        case 0x200B, 0xFEFF, 0x3001, 0x3002, 0x3008...0x3011, 0xFF01...0xFF0F, 0xFF1A...0xFF20, 0xFF3B...0xFF40,
            0xFF5B...0xFF65:
            return true
        default: return character.isWhitespace
        }
    }

    /// Whether a URL does not end with a character.
    static func isTrimmed(_ character: Character) -> Bool {
        switch character {
        case ".", ",", ":", ";", "!", "?", "'", "(", "[", "{", "…", "’", "”", "»", "›": true
        default: false
        }
    }
}
