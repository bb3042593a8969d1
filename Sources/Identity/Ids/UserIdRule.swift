import CrowbarCore
import OpenSSL

/// The rules for the ids of accounts.
///
/// An id never changes its owner. Ids with `/` belong to plugins, hooks and the command line, and ids that start with
/// `oidc:` to the subjects of an OpenID provider.
public enum UserIdRule {
    /// The start of the ids that an OpenID provider's subjects get.
    public static let oidcPrefix = "oidc:"
    /// The bytes of an id of a local account that a person chooses.
    public static let localLength = 2...32
    /// Ids that nobody can choose: they could pass for the system, or for a word of the command line or of a mention.
    public static let reserved: Set<String> = [
        "admin", "root", "system", "crowbar", "cli", "incoming", "oidc", "here", "everyone", "all", "create", "list",
        "revoke",
    ]

    /// Why a person cannot choose this id for a local account; nil if the rule allows it.
    ///
    /// Whether the id, or one that differs only in case, is taken is for the accounts store to say.
    public static func problem(local id: String) -> String? {
        let bytes = id.utf8
        guard localLength.contains(bytes.count), let first = bytes.first, isLowercaseOrDigit(first),
            bytes.allSatisfy({ isLowercaseOrDigit($0) || $0 == 0x2E || $0 == 0x5F || $0 == 0x2D })
        else {
            return "a user id has 2 to 32 of a-z 0-9 . _ - and starts with a letter or digit"
        }
        if reserved.contains(id) { return "the user id '\(id)' is reserved; choose another" }
        return nil
    }

    /// Ids that an operator cannot give either: in the log and the audit log they stand for the server's own parts.
    static let neverGiven: Set<String> = ["cli", "incoming", "oidc", "system", "crowbar"]

    /// Why an operator cannot give this id to an account; nil if the rule allows it.
    ///
    /// Operators may use the wider shape of earlier versions, and reserved words that only could mislead people.
    public static func problem(operator id: String) -> String? {
        guard Identifier.isEvent(id) else { return "a user's name is 1 to 128 of A-Z a-z 0-9 . _ : ~ -" }
        if folded(id).hasPrefix(oidcPrefix) {
            return "ids that start with '\(oidcPrefix)' belong to the OpenID provider's users, who get an account at "
                + "their first sign-in"
        }
        if neverGiven.contains(folded(id)) {
            return "the user id '\(id)' is reserved: it stands for a part of the server; choose another"
        }
        return nil
    }

    /// An id without regard to case. Two local accounts never share one.
    public static func folded(_ id: String) -> String {
        String(decoding: id.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    /// The id of an OpenID provider's subject.
    ///
    /// Bytes outside `A-Za-z0-9._-` are written `~HH`. An id of more than 128 bytes keeps its first 98, followed by
    /// `~~` and the first 22 characters of the subject's SHA-256 in base64url. No id without a hash holds `~~`.
    /// - Parameter subject: The claim `sub`.
    /// - Returns: An id that ``Identifier/isUser(_:)`` accepts; different subjects have different ids.
    public static func id(ofSubject subject: String) -> String {
        var id = Array(oidcPrefix.utf8)
        for byte in subject.utf8 {
            if isPlain(byte) {
                id.append(byte)
            } else {
                id += [0x7E, hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 15)]]
            }
        }
        if id.count > Identifier.maxLength {
            let digest = Base64URL.encode(SHA256.hash(subject.utf8)).utf8
            id = id.prefix(keptBytes) + [0x7E, 0x7E] + digest.prefix(digestCharacters)
        }
        return String(decoding: id, as: UTF8.self)
    }

    /// The id of the event that registers a subject: the same wherever and however often it is made.
    public static func registrationEvent(issuer: String, subject: String) -> String {
        var hash = SHA256()
        // Each part has its length in front, so that no two lists of parts are hashed as the same bytes.
        for part in ["crowbar oidc", issuer, subject] {
            let bytes = Array(part.utf8)
            hash.update("\(bytes.count):".utf8)
            hash.update(bytes)
        }
        return EventIDSource.derived(milliseconds: nil, digest: hash.digest())
    }

    private static let keptBytes = 98
    private static let digestCharacters = 22
    private static let hexDigits = Array("0123456789ABCDEF".utf8)

    private static func isLowercaseOrDigit(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x41...0x5A, 0x61...0x7A, 0x30...0x39, 0x2E, 0x5F, 0x2D: true
        default: false
        }
    }
}
