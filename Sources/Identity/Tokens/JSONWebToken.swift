import JSONBytes
import OpenSSL

/// A signed token in compact form (RFC 7515, RFC 7519), read but not verified.
public struct JSONWebToken: Sendable {
    /// The longest token, in bytes.
    public static let maxLength = 8 << 10
    /// The deepest nesting of header and claims. A text of 64 levels is refused.
    public static let maxDepth = 63

    /// The algorithms that are accepted (RFC 7518, RFC 8037).
    public enum Algorithm: String, Sendable, CaseIterable {
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        case rs256 = "RS256"
        /// ECDSA on P-256 with SHA-256.
        case es256 = "ES256"
        /// Ed25519.
        case eddsa = "EdDSA"

        var scheme: SignatureKey.Scheme {
            switch self {
            case .rs256: .rsaSHA256
            case .es256: .p256SHA256
            case .eddsa: .ed25519
            }
        }
    }

    /// The algorithm that the header names.
    public let algorithm: Algorithm
    /// The id of the key, as the header names it.
    public let keyId: String?
    /// The type that the header names, in lower case and without `application/`.
    public let type: String?
    /// The claims. No object in them names a member twice.
    let claims: JSONObject
    /// What is signed: header and claims as they stand in the token.
    let signed: [UInt8]
    let signature: [UInt8]

    /// Reads a token.
    ///
    /// Keys that a header brings or points to (`jwk`, `jku`, `x5u`, `x5c`) are ignored.
    /// - Throws: ``TokenRefusal``.
    public init(parsing token: [UInt8]) throws(TokenRefusal) {
        guard token.count <= Self.maxLength else { throw .tooLarge }
        let parts = token.split(separator: 0x2E, maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed("three parts with dots between them are expected") }
        let header = try Self.object(parts[0], "header")
        let name = try Self.text(header, "alg") ?? ""
        guard let algorithm = Algorithm(rawValue: name), name.utf8.elementsEqual(algorithm.rawValue.utf8) else {
            throw .algorithm(String(name.prefix(16)))
        }
        if header.span("crit") != nil { throw .critical }
        self.algorithm = algorithm
        keyId = try Self.text(header, "kid")
        type = try Self.text(header, "typ").map { text in
            let lower = text.lowercased()
            return lower.hasPrefix("application/") ? String(lower.dropFirst("application/".count)) : lower
        }
        claims = try Self.object(parts[1], "claims")
        guard let signature = Base64URL.decode(parts[2]) else { throw .malformed("the signature is not base64url") }
        self.signature = signature
        signed = Array(token[..<parts[1].endIndex])
    }

    /// Whether a text has the form of a JWT: three parts with dots between them. Crowbar's own tokens have no dot.
    public static func hasForm(_ token: [UInt8]) -> Bool { token.count { $0 == 0x2E } == 2 }

    private static func object(_ part: ArraySlice<UInt8>, _ name: String) throws(TokenRefusal) -> JSONObject {
        guard let bytes = Base64URL.decode(part) else { throw .malformed("the \(name) is not base64url") }
        let object: JSONObject
        do throws(JSONError) {
            object = try JSONObject(parsing: bytes, maxDepth: maxDepth)
        } catch {
            throw .malformed("the \(name): \(error)")
        }
        guard !object.members.contains(where: { object.repeatsKey(in: $0.value) }) else {
            throw .malformed("the \(name) names a member twice")
        }
        return object
    }

    /// The string under a key; nil where there is none.
    /// - Throws: Where it is something else.
    private static func text(_ header: JSONObject, _ key: StaticString) throws(TokenRefusal) -> String? {
        guard header.span(key) != nil else { return nil }
        guard let text = header.string(key) else { throw .malformed("'\(key)' of the header is not a string") }
        return text
    }
}
