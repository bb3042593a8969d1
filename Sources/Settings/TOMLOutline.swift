/// The lines of a TOML text that hold something, in their order: headers of tables, and keys with their values.
///
/// It reads no more of TOML than it must: headers, keys before `=`, and what can hide them (strings, brackets over
/// several lines, comments). Keys within inline tables count for the line of the whole.
public struct TOMLOutline: Sendable {
    /// A header, or a key with its value.
    public struct Entry: Sendable, Equatable {
        /// Its lines, from 1: a value can have several.
        public var lines: ClosedRange<Int>
        /// The full path of the table or key; elements of arrays of tables are `[0]`, `[1]` …
        public var path: [String]
        /// Whether it is the header of a table.
        public var isHeader: Bool
    }

    /// All of them, in the order of the text.
    public let entries: [Entry]

    /// Reads a text that the parser has accepted.
    public init(_ text: String) {
        var scan = Scan(bytes: Array(text.utf8))
        var entries: [Entry] = []
        var prefix: [String] = []
        var arrays: [[String]: Int] = [:]
        while scan.skipBlank() {
            let line = scan.line
            if scan.take("[") {
                let isArray = scan.take("[")
                var path = scan.key(of: arrays)
                if isArray {
                    let index = (arrays[path] ?? -1) + 1
                    arrays[path] = index
                    path.append("[\(index)]")
                }
                scan.skipLine()
                prefix = path
                entries.append(Entry(lines: line...line, path: path, isHeader: true))
            } else {
                let path = prefix + scan.key(of: [:])
                scan.skipValue()
                entries.append(Entry(lines: line...scan.line, path: path, isHeader: false))
            }
        }
        self.entries = entries
    }
}

extension TOMLOutline {
    /// A walk over the bytes of a text.
    private struct Scan {
        let bytes: [UInt8]
        var at = 0
        var line = 1

        init(bytes: [UInt8]) { self.bytes = bytes }

        var byte: UInt8? { at < bytes.count ? bytes[at] : nil }

        mutating func step() {
            if byte == 0x0A { line += 1 }
            at += 1
        }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard let byte, UInt32(byte) == character.value else { return false }
            step()
            return true
        }

        mutating func skipLine() {
            while let byte, byte != 0x0A { at += 1 }
        }

        /// Skips white space, empty lines and comments; says whether anything is left.
        mutating func skipBlank() -> Bool {
            while let byte {
                if byte == 0x23 {
                    skipLine()
                } else if byte <= 0x20 {
                    step()
                } else {
                    return true
                }
            }
            return false
        }

        /// Reads a dotted key up to `=` or `]`. Within a header, a name that is an array of tables stands for its
        /// newest element.
        mutating func key(of arrays: [[String]: Int]) -> [String] {
            var path: [String] = []
            while let byte, byte != 0x3D, byte != 0x5D, byte != 0x0A {
                if byte == 0x22 || byte == 0x27 {
                    let start = at + 1
                    skipString()
                    path.append(String(decoding: bytes[start..<max(start, at - 1)], as: UTF8.self))
                } else if byte <= 0x20 || byte == 0x2E {
                    step()
                    continue
                } else {
                    let start = at
                    while let byte = self.byte, byte > 0x20, byte != 0x2E, byte != 0x3D, byte != 0x5D { at += 1 }
                    path.append(String(decoding: bytes[start..<at], as: UTF8.self))
                }
                // A header [a.b] below [[a]] means the newest a; the last name is left to the caller.
                if let index = arrays[path], isFollowedByDot { path.append("[\(index)]") }
            }
            if byte == 0x3D { step() }
            return path
        }

        private var isFollowedByDot: Bool {
            var look = at
            while look < bytes.count, bytes[look] == 0x20 || bytes[look] == 0x09 { look += 1 }
            return look < bytes.count && bytes[look] == 0x2E
        }

        /// Skips a value up to the end of its last line.
        mutating func skipValue() {
            var depth = 0
            while let byte {
                switch byte {
                case 0x22, 0x27: skipString()
                case 0x23: skipLine()
                case 0x5B, 0x7B:
                    depth += 1
                    step()
                case 0x5D, 0x7D:
                    depth -= 1
                    step()
                case 0x0A where depth <= 0: return
                default: step()
                }
            }
        }

        /// Skips a string of any of the four kinds, from its first quote on.
        private mutating func skipString() {
            guard let quote = byte else { return }
            let isLong = at + 2 < bytes.count && bytes[at + 1] == quote && bytes[at + 2] == quote
            at += isLong ? 3 : 1
            while let byte {
                if byte == 0x5C, quote == 0x22 {
                    at += 1
                    step()
                } else if byte == quote {
                    guard isLong else { return step() }
                    if at + 2 < bytes.count, bytes[at + 1] == quote, bytes[at + 2] == quote {
                        at += 3
                        // Up to two quotes more belong to the string's own end.
                        while self.byte == quote { at += 1 }
                        return
                    }
                    at += 1
                } else if byte == 0x0A, !isLong {
                    return
                } else {
                    step()
                }
            }
        }
    }
}
