/// Blanks and line breaks around a value, as `echo` and editors leave them in files and variables.
package enum PaddedText {
    /// What is wrong and what to do. It does not quote the value, which may be a secret.
    package static let problem =
        "this begins or ends with a blank or a line break; remove it, also in the variable or file that it comes from"

    /// A text without the one line break that `echo` and editors leave at the end of a file, as the server reads
    /// secrets. By bytes: CR and LF together are one character.
    package static func withoutLastBreak(_ text: String) -> String {
        var bytes = Array(text.utf8)
        guard bytes.popLast() == 0x0A else { return text }
        if bytes.last == 0x0D { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether a text begins or ends with a blank, a tab or a line break.
    package static func isPadded(_ text: String) -> Bool {
        func isBlank(_ byte: UInt8?) -> Bool { byte == 0x20 || byte.map { (0x09...0x0D).contains($0) } ?? false }
        return isBlank(text.utf8.first) || isBlank(text.utf8.last)
    }
}
