import JSONBytes
import OpenSSL

/// The public keys of an issuer (JWKS, RFC 7517).
public struct KeySet: Sendable {
    /// Limits.
    public enum Limit {
        /// The longest document, in bytes.
        public static let bytes = 1 << 20
        /// Keys that are read. Further ones are ignored.
        public static let keys = 256
    }

    /// Why a document is no key set.
    public struct Malformed: Error, Sendable, Equatable, CustomStringConvertible {
        /// What is wrong.
        public var reason: String

        public var description: String { "the issuer's key set is unusable: \(reason)" }
    }

    private struct Entry {
        var id: String?
        /// Nil for a key that cannot check signatures of an accepted algorithm.
        var key: SignatureKey?
    }

    private let entries: [Entry]

    /// Reads a key set. Keys of other types, and damaged ones, match no token.
    /// - Throws: ``Malformed``, also where no key can check a signature.
    public init(parsing bytes: [UInt8]) throws(Malformed) {
        guard bytes.count <= Limit.bytes else { throw Malformed(reason: "it has more than \(Limit.bytes) bytes") }
        let keys: [JSONObject]?
        do throws(JSONError) {
            keys = try JSONObject(parsing: bytes).objects("keys")
        } catch {
            throw Malformed(reason: "\(error)")
        }
        guard let keys else { throw Malformed(reason: "'keys' is not an array of objects") }
        entries = keys.prefix(Limit.keys).map { Entry(id: $0.string("kid"), key: Self.key($0)) }
        guard entries.contains(where: { $0.key != nil }) else {
            throw Malformed(reason: "no key is for RS256, ES256 or EdDSA signatures")
        }
    }

    /// Whether there is a key of this id.
    func hasKey(id: String?) -> Bool { !matches(id).isEmpty }

    /// Verifies a token's signature.
    ///
    /// A token without `kid` is verified by the only key of its algorithm. If there are several, it is refused.
    /// - Throws: ``TokenRefusal/unknownKey``, ``TokenRefusal/unsuitableKey``, ``TokenRefusal/signature``.
    func verify(_ token: JSONWebToken) throws(TokenRefusal) {
        let found = matches(token.keyId)
        guard !found.isEmpty else { throw .unknownKey }
        let keys = found.compactMap(\.key).filter { $0.scheme == token.algorithm.scheme }
        guard !keys.isEmpty, token.keyId != nil || keys.count == 1 else { throw .unsuitableKey }
        // Ids should be unique, but keys of one id are all the issuer's.
        guard keys.contains(where: { $0.isSignature(token.signature, of: token.signed) }) else { throw .signature }
    }

    private func matches(_ id: String?) -> [Entry] {
        guard let id else { return entries }
        // Byte for byte: Swift's strings are equal where they look the same.
        return entries.filter { $0.id?.utf8.elementsEqual(id.utf8) == true }
    }

    private static func key(_ key: JSONObject) -> SignatureKey? {
        guard key.span("use") == nil || key.string("use") == "sig",
            key.span("key_ops") == nil || key.strings("key_ops")?.contains("verify") == true
        else { return nil }
        let algorithm = key.string("alg")
        if key.span("alg") != nil, algorithm == nil { return nil }
        func allows(_ names: String...) -> Bool { algorithm.map(names.contains) ?? true }
        func number(_ name: StaticString) -> [UInt8]? { key.string(name).flatMap { Base64URL.decode($0.utf8) } }
        switch key.string("kty") {
        case "RSA":
            guard allows("RS256"), let modulus = number("n"), let exponent = number("e") else { return nil }
            return SignatureKey(rsaModulus: modulus, exponent: exponent)
        case "EC":
            guard allows("ES256"), key.string("crv") == "P-256", let x = number("x"), let y = number("y") else {
                return nil
            }
            return SignatureKey(p256X: x, y: y)
        case "OKP":
            guard allows("EdDSA", "Ed25519"), key.string("crv") == "Ed25519", let x = number("x") else { return nil }
            return SignatureKey(ed25519: x)
        default: return nil
        }
    }
}
