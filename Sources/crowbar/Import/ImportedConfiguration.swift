/// A file that an import writes.
struct ImportedFile: Equatable, Sendable {
    /// Its path below the folder.
    var path: String
    var text: String
    /// Whether only its owner may read it.
    var isSecret = false
}

/// What an import makes of a configuration.
struct ImportedConfiguration: Sendable {
    /// In the order in which they are written: a running server starts a plugin as soon as its manifest is there.
    var files: [ImportedFile]
    /// The channels that gateways become.
    var channels: [String]
    var report: ImportReport

    /// The report's file.
    static let reportFile = "IMPORT.md"
}

/// Names that were given, so that no two are the same.
struct NameSource: Sendable {
    private var given: Set<String> = []

    /// A name of `a-z 0-9 _ -` (and `.` in channels) that resembles a text.
    mutating func name(for text: String, allowsDots: Bool = false, most: Int = 64) -> String {
        var name = ""
        for byte in text.lowercased().utf8 {
            switch byte {
            case 0x61...0x7A, 0x30...0x39: name.unicodeScalars.append(Unicode.Scalar(byte))
            case 0x2E where allowsDots && !name.isEmpty: name += "."
            case 0x5F where !name.isEmpty: name += "_"
            case _ where !name.isEmpty && name.last != "-": name += "-"
            default: break
            }
        }
        // Room for a number.
        name = String(name.prefix(most - 6))
        while name.last == "-" { name.removeLast() }
        if name.isEmpty { name = "unnamed" }
        var free = name
        var number = 2
        while !given.insert(free).inserted {
            free = "\(name)-\(number)"
            number += 1
        }
        return free
    }
}

/// Values as TOML.
enum TOMLText {
    /// A text in double quotes.
    static func string(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    static func array(_ texts: [String]) -> String { "[" + texts.map(string).joined(separator: ", ") + "]" }

    /// Lines whose `=` stand below each other.
    static func table(_ rows: [(key: String, value: String)]) -> String {
        let width = rows.map(\.key.count).max() ?? 0
        return rows.map { "\($0.key)\(String(repeating: " ", count: width - $0.key.count)) = \($0.value)\n" }.joined()
    }
}
