/// One line of IRC: tags, source, verb and parameters (RFC 1459 2.3.1, IRCv3 message-tags).
struct IRCMessage: Equatable, Sendable {
    /// The most parameters a line has (RFC 1459).
    static let maxParameters = 15

    /// The most tags that are read; servers send about ten.
    static let maxTags = 64

    /// Tags with their values unescaped; a tag without a value has an empty one. The last of equal names counts.
    var tags: [String: String] = [:]
    /// Who it is from, without the colon.
    var source: String?
    /// A command or a numeric, as it stands.
    var verb: String
    /// The parameters, the last without its colon.
    var params: [String] = []

    init(tags: [String: String] = [:], source: String? = nil, _ verb: String, _ params: [String] = []) {
        self.tags = tags
        self.source = source
        self.verb = verb
        self.params = params
    }

    /// Reads a line without its CR LF; nil where it has no verb. What is no UTF-8 is read as CP1252, each part by
    /// itself: text of another encoding leaves the channel's name alone.
    init?(line: some Collection<UInt8>) {
        let bytes = Array(line)
        var at = 0
        func word() -> Range<Int> {
            let start = at
            while at < bytes.count, bytes[at] != 0x20 { at += 1 }
            let found = start..<at
            while at < bytes.count, bytes[at] == 0x20 { at += 1 }
            return found
        }
        func text(_ range: Range<Int>) -> String { IRCText.decoded(bytes[range]) }
        while at < bytes.count, bytes[at] == 0x20 { at += 1 }
        if at < bytes.count, bytes[at] == 0x40 {
            at += 1
            tags = Self.tags(bytes[word()])
        }
        if at < bytes.count, bytes[at] == 0x3A {
            at += 1
            source = text(word())
        }
        verb = text(word())
        if verb.isEmpty { return nil }
        while at < bytes.count {
            if bytes[at] == 0x3A || params.count == Self.maxParameters - 1 {
                if bytes[at] == 0x3A { at += 1 }
                params.append(IRCText.decoded(bytes[at...], mayBeCut: true))
                break
            }
            params.append(text(word()))
        }
    }

    private static func tags(_ bytes: ArraySlice<UInt8>) -> [String: String] {
        var tags: [String: String] = [:]
        for tag in bytes.split(separator: 0x3B, maxSplits: Self.maxTags).prefix(Self.maxTags) {
            let parts = tag.split(separator: 0x3D, maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = parts.first, !name.isEmpty else { continue }
            let value = parts.count > 1 ? unescape(parts[1]) : ""
            tags[IRCText.decoded(name)] = value
        }
        return tags
    }

    private static func unescape(_ value: ArraySlice<UInt8>) -> String {
        guard value.contains(0x5C) else { return IRCText.decoded(value) }
        var out: [UInt8] = []
        var isEscaped = false
        for byte in value {
            if !isEscaped {
                if byte == 0x5C { isEscaped = true } else { out.append(byte) }
                continue
            }
            isEscaped = false
            switch byte {
            case 0x3A: out.append(0x3B)
            case 0x73: out.append(0x20)
            case 0x72: out.append(0x0D)
            case 0x6E: out.append(0x0A)
            default: out.append(byte)
            }
        }
        return IRCText.decoded(out[...])
    }

    /// The bytes of its texts, to limit what is held of many.
    var size: Int {
        (source?.utf8.count ?? 0) + verb.utf8.count + params.reduce(0) { $0 + $1.utf8.count }
            + tags.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
    }

    /// The line, without CR LF. The parameters must hold no CR, LF or NUL, and all but the last no space.
    var line: String {
        var out = ""
        if !tags.isEmpty {
            let written = tags.sorted { $0.key < $1.key }.map { name, value in
                value.isEmpty ? name : name + "=" + Self.escape(value)
            }
            out += "@" + written.joined(separator: ";") + " "
        }
        if let source { out += ":" + source + " " }
        out += verb
        for (i, param) in params.enumerated() {
            let needsColon = param.isEmpty || param.utf8.first == 0x3A || param.utf8.contains(0x20)
            out += i == params.count - 1 && needsColon ? " :" + param : " " + param
        }
        return out
    }

    /// A tag's value as it is written.
    static func escape(_ value: String) -> String {
        var out = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case ";": out += "\\:"
            case " ": out += "\\s"
            case "\\": out += "\\\\"
            case "\r": out += "\\r"
            case "\n": out += "\\n"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
