/// Reading and writing the text of JSON strings.
public enum JSONString {
    /// Decodes the string at `span`, which must have been scanned.
    static func decode(_ bytes: [UInt8], _ span: JSONSpan) -> String {
        let inner = bytes[span.start + 1..<span.end - 1]
        if span.isPlain || !inner.contains(0x5C) { return String(decoding: inner, as: UTF8.self) }
        var out: [UInt8] = []
        out.reserveCapacity(inner.count)
        bytes.withUnsafeBufferPointer { buffer in
            _ = decode(buffer, inner.indices) { byte in
                out.append(byte)
                return true
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Hands on the bytes of what stands between a scanned string's quotes, escapes resolved, one by one.
    /// - Returns: Whether all were taken: `take` ends it by returning false.
    static func decode(
        _ buffer: UnsafeBufferPointer<UInt8>, _ inner: Range<Int>, _ take: (UInt8) -> Bool
    ) -> Bool {
        let scanner = JSONScanner(buffer)
        var at = inner.lowerBound
        while at < inner.upperBound {
            guard buffer[at] == 0x5C else {
                guard take(buffer[at]) else { return false }
                at += 1
                continue
            }
            at += 2
            let byte: UInt8
            switch buffer[at - 1] {
            case 0x62: byte = 0x08
            case 0x66: byte = 0x0C
            case 0x6E: byte = 0x0A
            case 0x72: byte = 0x0D
            case 0x74: byte = 0x09
            case 0x75:
                var scalar = UInt32((try? scanner.hex4(at)) ?? 0xFFFD)
                at += 4
                if scalar & 0xFC00 == 0xD800 {
                    let low = UInt32((try? scanner.hex4(at + 2)) ?? 0xDC00)
                    scalar = 0x10000 + (scalar & 0x3FF) << 10 + (low & 0x3FF)
                    at += 6
                }
                for byte in UTF8.encode(Unicode.Scalar(scalar) ?? "\u{FFFD}") ?? UTF8.encodedReplacementCharacter {
                    guard take(byte) else { return false }
                }
                continue
            default: byte = buffer[at - 1]
            }
            guard take(byte) else { return false }
        }
        return true
    }

    /// Appends `text` in quotes, escaping what JSON demands and, besides, every character at which a line reader of
    /// some language breaks a line (U+0085, U+2028, U+2029), so that the result is one line everywhere.
    public static func append(_ text: String, to out: inout [UInt8]) {
        var text = text
        out.append(0x22)
        text.withUTF8 { appendEscaped($0, to: &out) }
        out.append(0x22)
    }

    static func appendEscaped(_ utf8: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) {
        var start = 0
        var at = 0
        func flush(_ out: inout [UInt8]) {
            if at > start { out.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<at])) }
        }
        while at < utf8.count {
            let byte = utf8[at]
            if byte >= 0x20, byte != 0x22, byte != 0x5C, byte != 0xC2, byte != 0xE2 {
                at += 1
                continue
            }
            if byte >= 0xC2 {
                guard UTF8Sequence.isLineSeparator(utf8, at) else {
                    at += 1
                    continue
                }
                flush(&out)
                if byte == 0xC2 {
                    out.append(contentsOf: "\\u0085".utf8)
                    at += 2
                } else {
                    out.append(contentsOf: utf8[at + 2] == 0xA8 ? "\\u2028".utf8 : "\\u2029".utf8)
                    at += 3
                }
            } else {
                flush(&out)
                switch byte {
                case 0x22: out.append(contentsOf: "\\\"".utf8)
                case 0x5C: out.append(contentsOf: "\\\\".utf8)
                case 0x08: out.append(contentsOf: "\\b".utf8)
                case 0x0C: out.append(contentsOf: "\\f".utf8)
                case 0x0A: out.append(contentsOf: "\\n".utf8)
                case 0x0D: out.append(contentsOf: "\\r".utf8)
                case 0x09: out.append(contentsOf: "\\t".utf8)
                default:
                    let hex = Array("0123456789abcdef".utf8)
                    out.append(contentsOf: "\\u00".utf8)
                    out.append(hex[Int(byte >> 4)])
                    out.append(hex[Int(byte & 15)])
                }
                at += 1
            }
            start = at
        }
        flush(&out)
    }
}

extension JSONString {
    /// A scanned JSON text as one line for any reader: line breaks between tokens become spaces, line separators within
    /// strings are escaped, and every other byte stays as it is.
    public static func singleLine(_ json: ArraySlice<UInt8>) -> [UInt8] {
        let out = Array(json)
        guard out.contains(where: { $0 == 0x0A || $0 == 0x0D || $0 == 0xC2 || $0 == 0xE2 }) else { return out }
        var line: [UInt8] = []
        line.reserveCapacity(out.count + 16)
        out.withUnsafeBufferPointer { buffer in
            var at = 0
            while at < buffer.count {
                let byte = buffer[at]
                if byte == 0x0A || byte == 0x0D {
                    line.append(0x20)
                    at += 1
                } else if byte >= 0xC2, UTF8Sequence.isLineSeparator(buffer, at) {
                    let length = byte == 0xC2 ? 2 : 3
                    appendEscaped(UnsafeBufferPointer(rebasing: buffer[at..<at + length]), to: &line)
                    at += length
                } else {
                    line.append(byte)
                    at += 1
                }
            }
        }
        return line
    }

    /// A text with U+FFFD in place of each NUL, which many programs and databases cannot hold.
    public static func withoutNUL(_ text: String) -> String {
        guard text.utf8.contains(0) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value == 0 ? "\u{FFFD}" : $0 }))
    }

    /// Whether a string or a key in valid JSON has a NUL, which can only stand there as an escape.
    public static func hasNUL(_ json: ArraySlice<UInt8>) -> Bool {
        var i = json.startIndex
        while let backslash = json[i...].firstIndex(of: 0x5C), backslash + 1 < json.endIndex {
            if json[(backslash + 1)...].starts(with: [0x75, 0x30, 0x30, 0x30, 0x30]) { return true }
            i = backslash + 2
        }
        return false
    }
}
