/// A regular expression of `IgnoreNicks` as a mask of `ignore` (docs/irc.md). matterbridge looks for it anywhere in the
/// nick; masks are about `nick!user@host`, and their expressions are POSIX extended.
enum IgnoreTranslation {
    /// The longest mask.
    private static let longest = 200

    /// - Returns: The mask; nil where the expression needs something that POSIX does not have.
    static func mask(_ expression: String) -> String? {
        guard !expression.isEmpty, expression.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        if expression.utf8.allSatisfy(isPlain) {
            // A backslash or a caret of a nick would be read as a part of an expression; none of these is here.
            let mask = "*\(expression)*"
            return mask.utf8.count <= longest ? mask : nil
        }
        var rest = expression[...]
        // Masks do not tell capitals apart.
        if rest.hasPrefix("(?i)") { rest = rest.dropFirst(4) }
        let begins = rest.hasPrefix("^")
        if begins { rest = rest.dropFirst() }
        let ends = rest.hasSuffix("$") && !rest.hasSuffix("\\$")
        if ends { rest = rest.dropLast() }
        guard let body = body(rest), !((begins || ends) && hasAlternatives(rest)) else { return nil }
        let mask = "/^\(begins ? "" : "[^!]*")(\(body))\(ends ? "" : "[^!]*")!/"
        return mask.utf8.count <= longest ? mask : nil
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
        default: false
        }
    }

    /// Whether there is a `|` outside of all groups, which an anchor would be a part of.
    private static func hasAlternatives(_ text: Substring) -> Bool {
        var depth = 0
        for character in text {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            if character == "|", depth == 0 { return true }
        }
        return false
    }

    /// The expression without what POSIX writes in another way; nil where it has no way.
    private static func body(_ text: Substring) -> String? {
        let characters = Array(text)
        var (out, at, depth, isInClass) = ("", 0, 0, false)
        while at < characters.count {
            let character = characters[at]
            let next = at + 1 < characters.count ? characters[at + 1] : nil
            switch character {
            case "\\":
                guard let next, let piece = escaped(next, isInClass) else { return nil }
                out += piece
                at += 1
            case "[" where !isInClass:
                isInClass = true
                out.append(character)
                if next == "^" {
                    out.append("^")
                    at += 1
                }
            case "[": return nil
            case "]" where isInClass:
                isInClass = false
                out.append(character)
            case _ where isInClass: out.append(character)
            case "(" where next == "?":
                guard at + 2 < characters.count, characters[at + 2] == ":" else { return nil }
                depth += 1
                out.append("(")
                at += 2
            case "^", "$": return nil
            case "*", "+", "?", "{":
                // POSIX wants something before it, and a count within braces.
                guard let last = out.last, !"(|".contains(last), character != "{" || isCount(characters[(at + 1)...])
                else { return nil }
                out.append(character)
                // Whether there is a match does not depend on greed.
                if next == "?" { at += 1 }
            // The dot must not leave the nick.
            case ".": out += "[^!]"
            case "}":
                out.append(character)
                if next == "?" { at += 1 }
            case "(":
                depth += 1
                out.append(character)
            case ")":
                depth -= 1
                if depth < 0 { return nil }
                out.append(character)
            default: out.append(character)
            }
            at += 1
        }
        return isInClass || depth != 0 || out.isEmpty ? nil : out
    }

    /// Whether a text begins with a count and its closing brace, as `3}` or `3,5}`.
    private static func isCount(_ text: ArraySlice<Character>) -> Bool {
        guard let end = text.firstIndex(of: "}") else { return false }
        let numbers = text[..<end].split(separator: ",", omittingEmptySubsequences: false)
        func isNumber(_ part: ArraySlice<Character>) -> Bool {
            Int(String(part)).map { (0...255).contains($0) } == true
        }
        guard let first = numbers.first, isNumber(first), numbers.count <= 2 else { return false }
        return numbers.count == 1 || numbers[1].isEmpty || isNumber(numbers[1])
    }

    private static func escaped(_ character: Character, _ isInClass: Bool) -> String? {
        if character == "d" { return isInClass ? "0-9" : "[0-9]" }
        if "wsb".contains(character) { return isInClass ? nil : "\\\(character)" }
        // A letter or digit has a meaning of its own; within a class POSIX takes a backslash for itself.
        guard !character.isLetter, !character.isNumber else { return nil }
        // GNU's escapes for places.
        if "<>`'".contains(character) { return String(character) }
        return isInClass ? nil : "\\\(character)"
    }
}
