import CrowbarCore
@_spi(_Unicode) import Swift

/// The rule for the names that people are shown by: NFC, without control and bidirectional formatting characters.
///
/// Names need not be unique.
public enum DisplayName {
    /// The longest name, in bytes.
    public static let maxLength = Command.Limit.name

    /// Why a text cannot be a name; nil if it can.
    public static func problem(_ name: String) -> String? {
        if name.utf8.count > maxLength { return "a name has at most \(maxLength) bytes" }
        if name.allSatisfy(\.isWhitespace) { return "a name must not be blank" }
        if name.unicodeScalars.contains(where: isForbidden) {
            return "a name must not contain control characters or bidirectional formatting characters"
        }
        if !name.unicodeScalars.elementsEqual(name._nfc) { return "a name must be in Unicode normalization form NFC" }
        return nil
    }

    /// A text of another system as a name: without the characters that no name may have, in NFC, trimmed, and cut at a
    /// character to the limit.
    /// - Returns: Nil if nothing visible is left.
    public static func cleaned(_ text: String) -> String? {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where !isForbidden(scalar) { scalars.append(scalar) }
        var normalized = String.UnicodeScalarView()
        for scalar in String(scalars)._nfc { normalized.append(scalar) }
        var name = trimmed(String(normalized))
        if name.utf8.count > maxLength {
            var kept = ""
            for character in name where kept.utf8.count + character.utf8.count <= maxLength { kept.append(character) }
            name = trimmed(kept)
        }
        return problem(name) == nil ? name : nil
    }

    private static func trimmed(_ text: String) -> String {
        let start = text.drop(while: \.isWhitespace)
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...last])
    }

    private static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        // Controls, line and paragraph separators.
        case 0...0x1F, 0x7F...0x9F, 0x2028, 0x2029: true
        // Bidirectional formatting (Unicode Standard Annex 9): marks, embeddings, overrides, isolates.
        case 0x061C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
