import JSONBytes

/// Replaces secrets in what is shown, in the forms in which programs quote them: a pure value.
struct SecretMask: Sendable {
    /// The shortest secret that is masked, in bytes: a shorter one stands in every other line by chance.
    static let minSecret = 4
    /// The shortest line of a secret of several lines that is masked by itself, in bytes.
    static let minLine = 8

    private static let mark = Array("***".utf8)

    private var secrets: Set<String> = []
    /// What is looked for, by its first byte; none is empty.
    private var forms: [[[UInt8]]] = Array(repeating: [], count: 256)

    init(_ secrets: [String] = []) { learn(secrets) }

    /// There is nothing to mask.
    var isEmpty: Bool { secrets.isEmpty }

    /// Masks further secrets beside those known: a plugin may still speak of an old one.
    mutating func learn(_ more: [String]) {
        for secret in more where secrets.insert(secret).inserted {
            for form in Self.forms(of: secret) where !forms[Int(form[0])].contains(form) {
                forms[Int(form[0])].append(form)
            }
        }
    }

    // MARK: What is looked for

    /// The secret, the secret without the space around it, and each of its lines, which a log has one by one; all of
    /// them also as they stand in JSON.
    private static func forms(of secret: String) -> Set<[UInt8]> {
        let whole = Array(secret.utf8)
        let lines = whole.split { $0 == 0x0A || $0 == 0x0D }.map(trimmed).filter { $0.count >= minLine }
        let texts = [whole, trimmed(whole[...])].filter { $0.count >= minSecret } + lines
        return Set(texts.flatMap { text in [text] + quoted(String(decoding: text, as: UTF8.self)) })
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        var bytes = bytes
        while let last = bytes.last, isSpace(last) { bytes.removeLast() }
        return Array(bytes.drop(while: isSpace))
    }

    /// The inside of JSON strings that stand for a text: as it is written here, and by those that write ASCII only;
    /// with and without an escape before each slash, as PHP has it.
    private static func quoted(_ text: String) -> [[UInt8]] {
        var own: [UInt8] = []
        JSONString.append(text, to: &own)
        own = Array(own.dropFirst().dropLast())
        return [own, ascii(own, isUpper: false), ascii(own, isUpper: true)].flatMap { form in
            [form, form.flatMap { $0 == 0x2F ? [0x5C, $0] : [$0] }]
        }
    }

    /// JSON with every character behind ASCII as `\u00e9`, or `\u00E9`.
    private static func ascii(_ json: [UInt8], isUpper: Bool) -> [UInt8] {
        var out: [UInt8] = []
        for unit in String(decoding: json, as: UTF8.self).utf16 {
            if unit < 0x7F {
                out.append(UInt8(unit))
            } else {
                let digits = String(unit, radix: 16, uppercase: isUpper)
                out += Array("\\u".utf8) + Array(repeating: 0x30, count: 4 - digits.utf8.count) + Array(digits.utf8)
            }
        }
        return out
    }

    // MARK: Masking

    /// A text without the secrets, cut at so many bytes: only then, as the beginning of a secret is one too.
    func mask(_ text: String, limit: Int = .max) -> String {
        var text = text
        return text.withUTF8 { mask(UnsafeRawBufferPointer($0), limit: limit) }
    }

    /// As ``mask(_:limit:)`` of the text that the bytes are, or are to be.
    func mask(_ bytes: UnsafeRawBufferPointer, limit: Int) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(min(bytes.count, limit))
        // Up to where the secrets found so far reach: they may overlap, and then nothing of either is to be left.
        var hidden = 0
        var at = 0
        while at < bytes.count {
            let end = end(of: bytes, from: at)
            if end > at {
                if at >= hidden {
                    guard out.count + Self.mark.count <= limit else { break }
                    out += Self.mark
                }
                hidden = max(hidden, end)
            } else if at >= hidden {
                guard out.count < limit else { break }
                out.append(bytes[at])
            }
            at += 1
        }
        // Not within a character.
        if at < bytes.count, bytes[at] & 0xC0 == 0x80 {
            while let last = out.popLast(), last & 0xC0 == 0x80 {}
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The end of the longest secret that begins here; the place itself where none does.
    private func end(of bytes: UnsafeRawBufferPointer, from at: Int) -> Int {
        var end = at
        for form in forms[Int(bytes[at])] where form.count > end - at && form.count <= bytes.count - at {
            if form.elementsEqual(bytes[at..<at + form.count]) { end = at + form.count }
        }
        return end
    }

    /// JSON without the secrets, whichever way its text was escaped. Of members whose names become the same the first
    /// is kept.
    func mask(_ json: JSON) -> JSON {
        switch json {
        case .null, .bool: return json
        case .int, .double:
            let text = String(decoding: json.bytes, as: UTF8.self)
            let masked = mask(text)
            return masked == text ? json : .string(masked)
        case .string(let text): return .string(mask(text))
        case .array(let elements): return .array(elements.map(mask))
        case .object(let members):
            var names: Set<String> = []
            var masked: [JSON.Member] = []
            for member in members {
                let name = mask(member.key)
                if names.insert(name).inserted { masked.append(.init(name, mask(member.value))) }
            }
            return .object(masked)
        }
    }
}
