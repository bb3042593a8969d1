import CrowbarCore

/// The parameters behind the `?` of a request's target, percent-decoded.
struct Query: Sendable {
    /// The parameters of a query at most. They are read before it is known who calls, so that they must cost little.
    private static let most = 32

    private(set) var parameters: [(name: String, value: String)] = []

    /// Splits a query; `+` stands for itself, as in any URI (RFC 3986).
    /// - Throws: ``APIFailure`` where an escape is broken, a name stands twice, or there are too many.
    init(_ text: Substring) throws(APIFailure) {
        let parts = text.split(separator: "&", maxSplits: Self.most)
        if parts.count > Self.most {
            throw APIFailure(.invalidCommand, "the address has more than \(Self.most) parameters; give fewer")
        }
        for part in parts {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try Self.decode(halves[0])
            if self[name] != nil {
                throw APIFailure(.invalidCommand, "'\(name.prefix(64))' is given twice", field: String(name.prefix(64)))
            }
            parameters.append((name, halves.count > 1 ? try Self.decode(halves[1]) : ""))
        }
    }

    subscript(name: String) -> String? { parameters.first { $0.name == name }?.value }

    /// Refuses unknown names, so that a typing error does not look like an empty result.
    func refuseUnknown(knowing known: [String]) throws(APIFailure) {
        for parameter in parameters where !known.contains(parameter.name) {
            let name = String(parameter.name.prefix(64))
            let others = known.isEmpty ? "none" : known.joined(separator: ", ")
            throw APIFailure(.invalidCommand, "'\(name)' is no parameter here; there are \(others)", field: name)
        }
    }

    /// The number that a text is in decimal digits, and nothing else; nil if it is none or does not fit. `Int` also
    /// accepts a sign.
    static func wholeNumber(_ text: String) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }

    /// Undoes percent-encoding.
    static func decode(_ text: Substring) throws(APIFailure) -> String {
        guard text.utf8.contains(0x25) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == 0x25 else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hex), let low = rest.popFirst().flatMap(hex) else {
                throw APIFailure(.malformed, "the address has a broken percent-escape")
            }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw APIFailure(.malformed, "the address is not UTF-8")
        }
        return decoded
    }

    private static func hex(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x41 + 10
        case 0x61...0x66: digit - 0x61 + 10
        default: nil
        }
    }
}
