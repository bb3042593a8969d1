@_spi(_Unicode) import Swift

/// The shape of a reaction: one character as people see it, or a name as `:thumbs_up:`.
///
/// Reactions are compared byte for byte, so one character has one spelling: that of NFC.
enum Reaction {
    /// The longest reaction, in bytes.
    static let maxLength = 64
    /// Different reactions that one message may have.
    static let maxKinds = 64
    /// The longest name between the colons, in bytes.
    private static let maxName = 30

    /// What is wrong with a text as a reaction; nil if nothing is.
    static func problem(_ text: String) -> String? {
        if isName(text) { return nil }
        guard text.count == 1 else {
            return "must be one character, or a name as ':thumbs_up:' (1 to \(maxName) of a-z 0-9 _ + -)"
        }
        guard text.unicodeScalars.elementsEqual(text._nfc) else { return "must be in Unicode normalization form NFC" }
        // A mark or a joiner may follow, but something has to be seen.
        guard let first = text.unicodeScalars.first, isVisible(first) else { return "must be a visible character" }
        return nil
    }

    private static func isName(_ text: String) -> Bool {
        let bytes = text.utf8
        guard bytes.first == 0x3A, bytes.last == 0x3A, (3...maxName + 2).contains(bytes.count) else { return false }
        return bytes.dropFirst().dropLast().allSatisfy {
            switch $0 {
            case 0x61...0x7A, 0x30...0x39, 0x5F, 0x2B, 0x2D: true
            default: false
            }
        }
    }

    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate, .unassigned,
            .nonspacingMark, .enclosingMark, .spacingMark:
            false
        default: true
        }
    }
}
