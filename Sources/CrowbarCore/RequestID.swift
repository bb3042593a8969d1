/// The id of the HTTP request that the current task answers: in the answer, in the server's log and in the audit log.
public enum RequestID {
    /// nil where no request is answered.
    @TaskLocal public static var current: String?

    /// The longest id that is accepted from a trusted proxy, in bytes.
    public static let maxLength = 64

    /// Whether a text may stand for a request: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    public static func isValid(_ text: String) -> Bool {
        (1...maxLength).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte & 0xDF) || byte == 0x2D || byte == 0x2E
                    || byte == 0x5F
            }
    }

    /// A new id: 16 hexadecimal digits.
    /// - Parameter random: 64 random bits.
    public static func make(_ random: UInt64) -> String {
        let digits = String(random, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
