/// Which letters a server holds to be the same in nicks and channels (ISUPPORT `CASEMAPPING`).
enum Casemapping: String, Sendable {
    case ascii
    case rfc1459
    case strictRFC1459 = "rfc1459-strict"

    private func fold(_ byte: UInt8) -> UInt8 {
        switch byte {
        case 0x41...0x5A: byte + 0x20
        case 0x5B...0x5D where self != .ascii: byte + 0x20
        case 0x5E where self == .rfc1459: 0x7E
        default: byte
        }
    }

    /// The small form of a name's bytes.
    func fold(_ name: [UInt8]) -> [UInt8] { name.map { fold($0) } }

    /// The small form of a name.
    func fold(_ name: String) -> String {
        // Most names are small already.
        guard name.utf8.contains(where: { fold($0) != $0 }) else { return name }
        return String(decoding: name.utf8.map { fold($0) }, as: UTF8.self)
    }
}
