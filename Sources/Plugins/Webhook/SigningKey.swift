import Basics
import OpenSSL
import PluginKit

/// A key that requests are signed with: Standard Webhooks 1.0's symmetric `v1` or its asymmetric `v1a`.
enum SigningKey: Sendable, CustomStringConvertible {
    case symmetric(SigningSecret)
    case asymmetric(Ed25519PrivateKey)

    /// How a private key's text begins.
    static let privatePrefix = "whsk_"

    /// Why a text is no key. No text quotes it.
    enum Refusal: Error, Equatable, CustomStringConvertible {
        case malformed
        case padded
        case publicKey
        case otherPublicKey

        var description: String {
            switch self {
            case .malformed:
                "whsec_ and base 64 of 24 to 64 bytes, or whsk_ and base 64 of 32 or 64 bytes, is expected"
            case .padded: PaddedText.problem
            case .publicKey: "this is a public key, which cannot sign; give the private one, which begins with whsk_"
            case .otherPublicKey:
                "the last 32 bytes of this key are not the public key of its first 32; give the private key alone"
            }
        }
    }

    /// Reads `whsec_` and base 64 of 24 to 64 bytes, or `whsk_` and base 64 of a private key of Ed25519: its 32 bytes,
    /// or these and the 32 of its public key.
    init(_ text: String) throws(Refusal) {
        if PaddedText.isPadded(text) { throw .padded }
        if text.hasPrefix("whpk_") { throw .publicKey }
        if text.hasPrefix(SigningSecret.prefix) {
            guard let secret = SigningSecret(text) else { throw .malformed }
            self = .symmetric(secret)
            return
        }
        guard text.hasPrefix(Self.privatePrefix),
            let bytes = Base64.decode(String(text.dropFirst(Self.privatePrefix.count))),
            bytes.count == 32 || bytes.count == 64, let key = Ed25519PrivateKey(Array(bytes.prefix(32)))
        else { throw .malformed }
        if bytes.count == 64, key.publicKey != Array(bytes.suffix(32)) { throw .otherPublicKey }
        self = .asymmetric(key)
    }

    /// One signature of `webhook-signature`, with its version; nil where OpenSSL fails.
    func signature(id: String, timestamp: Int64, body: [UInt8]) -> String? {
        switch self {
        case .symmetric(let secret): secret.signature(id: id, timestamp: timestamp, body: body)
        case .asymmetric(let key):
            key.sign(Array("\(id).\(timestamp).".utf8) + body).map { "v1a," + Base64.encode($0) }
        }
    }

    /// Hides the key, wherever the value is printed.
    var description: String {
        switch self {
        case .symmetric(let secret): secret.description
        case .asymmetric: Self.privatePrefix + "…"
        }
    }
}
