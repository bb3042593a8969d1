import CrowbarCore
import OpenSSL

/// The validator of a view's answer (RFC 9110, section 8.8.3): `"VERSION-POSITION-CALLER"`, or a digest of the answer
/// in place of POSITION where no position is known that would tell nothing of what the caller may not read.
enum EntityTag {
    /// CALLER of an answer that is the same for everybody.
    static let everybody = "0"

    /// CALLER of an answer that depends on who asks and on what they may read.
    /// - Parameter revision: What else it depends on.
    static func caller(_ access: Access, revision: Int64 = 0) -> String {
        var hash = SHA256()
        switch access.reader {
        case .anonymous: return everybody
        case .all: hash.update("*\n".utf8)
        // No id has a line feed.
        case .user(let id): hash.update("\(id)\n".utf8)
        }
        for audience in access.audiences.sorted() { hash.update("\(audience),".utf8) }
        hash.update("\n\(revision)".utf8)
        return text(hash)
    }

    /// The digest of an answer.
    static func digest(_ body: [UInt8]) -> String {
        var hash = SHA256()
        hash.update(body)
        return text(hash)
    }

    private static func text(_ hash: SHA256) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: hash.digest().prefix(8).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Whether `If-None-Match` names a tag: `*`, or a list with it. Tags are compared weakly, as the field demands
    /// (RFC 9110, section 13.1.2). What is no list of tags names none.
    /// - Parameter fields: The field's values, one for each line.
    static func isNamed(_ tag: String, by fields: [String]) -> Bool {
        if fields.count == 1, trimmed(fields[0][...]) == "*" { return true }
        return fields.contains { field in
            var rest = trimmed(field[...])
            while !rest.isEmpty {
                if rest.hasPrefix(",") {
                    rest = trimmed(rest.dropFirst())
                    continue
                }
                if rest.hasPrefix("W/") { rest = rest.dropFirst(2) }
                guard rest.hasPrefix("\""), let end = rest.dropFirst().firstIndex(of: "\"") else { return false }
                if rest[...end] == tag { return true }
                rest = trimmed(rest[rest.index(after: end)...])
                guard rest.isEmpty || rest.hasPrefix(",") else { return false }
            }
            return false
        }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " || text.first == "\t" { text = text.dropFirst() }
        while text.last == " " || text.last == "\t" { text = text.dropLast() }
        return text
    }
}
