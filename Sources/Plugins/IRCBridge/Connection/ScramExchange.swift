import OpenSSL
import PluginKit

/// The client's side of SCRAM-SHA-256 without channel binding (RFC 5802, RFC 7677).
///
/// Names and passwords go as they are: SASLprep (RFC 4013) changes nothing of what is ASCII.
struct ScramExchange: Sendable {
    /// The rounds that a server may ask for: fewer would make its table of passwords cheap to guess (RFC 7677, 4), more
    /// would let it keep the bridge busy.
    static let rounds = 4096...500_000

    /// Why it does not go on.
    struct Failure: Error, Equatable {
        /// For the operator; holds nothing secret.
        var reason: String
    }

    /// The one step that takes a part of a second with many rounds, and so is done beside the event loop, which all
    /// networks share.
    struct Derivation: Equatable, Sendable {
        var password: String
        var salt: [UInt8]
        var rounds: Int

        /// `SaltedPassword` (RFC 5802, 3); nil where OpenSSL cannot.
        func key() -> [UInt8]? {
            PBKDF2.sha256(
                password: Array(password.utf8), salt: salt, iterations: rounds, length: SHA256.digestLength)
        }
    }

    private enum Stage {
        case start
        case asked
        case deriving(Derivation, message: String, nonce: String)
        case proved(signature: [UInt8])
        case done
    }

    private let password: String
    private let nonce: String
    private let firstBare: String
    private var stage = Stage.start

    /// - Parameter nonce: Random, printable, without commas.
    init(account: String, password: String, nonce: String) {
        self.password = password
        self.nonce = nonce
        let name = account.replacing("=", with: "=3D").replacing(",", with: "=2C")
        firstBare = "n=\(name),r=\(nonce)"
    }

    /// Whether the server has shown that it knows the password too.
    var isDone: Bool { if case .done = stage { true } else { false } }

    /// What ``derived(_:)`` waits for.
    var derivation: Derivation? { if case .deriving(let derivation, _, _) = stage { derivation } else { nil } }

    /// Answers what the server says; the first time it says nothing.
    /// - Returns: Nil where ``derivation`` is needed for the answer.
    /// - Throws: ``Failure``.
    mutating func answer(_ message: String) throws(Failure) -> String? {
        switch stage {
        case .start:
            guard !nonce.isEmpty else { throw Failure(reason: "there is no randomness to begin with") }
            stage = .asked
            return "n,," + firstBare
        case .asked:
            stage = try challenged(message)
            return nil
        case .deriving: throw Failure(reason: "the server goes on before it was answered")
        case .proved(let signature):
            let values = try Self.values(message)
            guard let text = values["v"], let shown = Base64.decode(text), ConstantTime.areEqual(shown, signature)
            else { throw Failure(reason: "the server does not know the password, and is none to trust") }
            stage = .done
            return ""
        case .done: throw Failure(reason: "the server goes on after the end")
        }
    }

    private func challenged(_ message: String) throws(Failure) -> Stage {
        let values = try Self.values(message)
        guard let joined = values["r"], joined.hasPrefix(nonce), joined.utf8.count > nonce.utf8.count,
            let salt = values["s"].flatMap(Base64.decode), !salt.isEmpty, let rounds = values["i"].flatMap({ Int($0) })
        else { throw Failure(reason: "the server's challenge is none of SCRAM") }
        guard Self.rounds.contains(rounds) else {
            let (least, most) = (Self.rounds.lowerBound, Self.rounds.upperBound)
            throw Failure(reason: "the server asks for \(rounds) rounds; \(least) to \(most) are accepted")
        }
        let derivation = Derivation(password: password, salt: salt, rounds: rounds)
        return .deriving(derivation, message: message, nonce: joined)
    }

    /// Answers the challenge by the key of ``derivation``.
    /// - Parameter salted: Nil where it could not be derived.
    /// - Throws: ``Failure``.
    mutating func derived(_ salted: [UInt8]?) throws(Failure) -> String {
        guard case .deriving(_, let message, let joined) = stage, let salted else {
            throw Failure(reason: "OpenSSL cannot derive a key")
        }
        let clientKey = HMACSHA256.authenticate(key: salted, Array("Client Key".utf8))
        let serverKey = HMACSHA256.authenticate(key: salted, Array("Server Key".utf8))
        // `biws` is the first message's `n,,` in base 64.
        let withoutProof = "c=biws,r=" + joined
        let all = Array("\(firstBare),\(message),\(withoutProof)".utf8)
        let mask = HMACSHA256.authenticate(key: SHA256.hash(clientKey), all)
        let proof = Base64.encode(zip(clientKey, mask).map { $0 ^ $1 })
        stage = .proved(signature: HMACSHA256.authenticate(key: serverKey, all))
        return "\(withoutProof),p=\(proof)"
    }

    /// The attributes of a message by their letters.
    private static func values(_ message: String) throws(Failure) -> [Substring: String] {
        var values: [Substring: String] = [:]
        for part in message.split(separator: ",") where part.dropFirst().first == "=" {
            values[part.prefix(1)] = String(part.dropFirst(2))
        }
        if let error = values["e"] { throw Failure(reason: "the server says '\(error.prefix(64))'") }
        // What has to be understood and is not known (RFC 5802, 5.1).
        guard values["m"] == nil else { throw Failure(reason: "the server asks for an extension of SCRAM") }
        return values
    }
}
