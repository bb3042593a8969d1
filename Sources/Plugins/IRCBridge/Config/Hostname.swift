/// Names of hosts as IRC servers show them: at least two labels, letters, digits and inner hyphens (RFC 1123).
enum Hostname {
    /// The longest name, in bytes.
    static let maxLength = 253

    /// Whether a text is a host's full name.
    static func isValid(_ name: String) -> Bool {
        guard name.utf8.count <= maxLength, name.utf8.contains(0x2E) else { return false }
        let labels = (name.hasSuffix(".") ? name.dropLast() : name[...]).split(
            separator: ".", omittingEmptySubsequences: false)
        return labels.allSatisfy { isLabel($0) }
    }

    /// Whether a text can be connected to: a name of one or more labels, or an address.
    static func canConnect(_ name: String) -> Bool {
        let utf8 = name.utf8
        guard !utf8.isEmpty, utf8.count <= maxLength else { return false }
        if utf8.contains(0x3A) {
            return utf8.allSatisfy { "0123456789abcdefABCDEF:.%".utf8.contains($0) }
        }
        return utf8.contains(0x2E) ? isValid(name) : isLabel(name[...])
    }

    private static func isLabel(_ label: Substring) -> Bool {
        let utf8 = label.utf8
        guard let first = utf8.first, let last = utf8.last, utf8.count <= 63, first != 0x2D, last != 0x2D else {
            return false
        }
        return utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == 0x2D
        }
    }
}
