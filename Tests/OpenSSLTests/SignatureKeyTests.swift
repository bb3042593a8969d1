import OpenSSL
import Testing

/// Keys and signatures that the Python package cryptography made of "a message".
@Suite struct SignatureKeyTests {
    private static let message = Array("a message".utf8)
    private static let modulus = bytes(
        "d4d72a62232c52465f2a17ded45c6537aa735377c9e442d6e4566977456489881c0dc5b851d556a618f24f5d9c7f2664"
            + "79e7a068cb3c1206e53a1b128924c4f58055cc55f645e30b27295e6027ee688e662f21f53ee401b1731bcc25442c6c74"
            + "058f9ab2cd31843066c47cf8e6f7f43fbdc25421992db696a2fc64dbc9e2cb89f0d67856fa9cc7feb107131588767546"
            + "a56009d4145da8763a6e1a96181b8bfe74ca33785b681d6fd8a09d4e04597d09fafa60698d275c9cbf8213ca97a2490d"
            + "b832874570356affc58b337bd7daeba482dfd01320a16fa88d16f82999d7eb035510e9314e8cc55163e04b1484c8f829"
            + "3ae770817289775f6f5532d99948910d")
    private static let rsaSignature = bytes(
        "2133dd138838fc3bc45fef88c3861acc0ac14b01a6de022d5ac962eb09326226446adc2ed2eb79266dfc6632590aa10a"
            + "145598aab39e2854ab3ebaa93d05b83c72e80896a1e3d063709a0f021ffc3bfdb0f4d1c8771902bab657dd1429effca2"
            + "97d17ca84795ac2addbabf35277840ad364635db08aea8f54edd37ed944912612d43b49217ac989e2caf19d8f1d91bdb"
            + "457a654c8409ab519fbf05e840ed4faa8ed61ba3316c9cb3f3754a461f688d72304be0d2dbae8c26e57f5cd81a161ccd"
            + "63fb17db7fc05b7c84118e16cc885d389a486491b384f34396e550e05a41bdb181125fa87594f7617f171548b20a1eda"
            + "f2c8b637fdfdbb4d386ed2f669386452")
    private static let x = bytes("1c4c15a22fd916628ed532f4eb6c646f9cd70973be8ca3cb4185eb6970489df5")
    private static let y = bytes("a0d9904d4e4c0154a2b312b5d5a9ca2767817378f9551d19f60f2e92752f245d")
    /// `r` begins with a zero byte, and `s` with a bit that is one.
    private static let p256Signature = bytes(
        "00d3e0abe0c7e02091f6699ad72e75f2e8e65778d565c46eba0fa24e1d03ada89f5253e64a844372235d3dc0e92838e7"
            + "017ee4aa5c5a1575825d6a4ba58589f7")

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.compactMap { $0.hexDigitValue.map(UInt8.init) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    private static let keys: [(name: String, key: SignatureKey?, signature: [UInt8])] = {
        let ed = Ed25519PrivateKey([UInt8](1...32))
        return [
            ("RSA", SignatureKey(rsaModulus: modulus, exponent: [1, 0, 1]), rsaSignature),
            ("RSA with zeros", SignatureKey(rsaModulus: [0, 0] + modulus, exponent: [0, 1, 0, 1]), rsaSignature),
            ("P-256", SignatureKey(p256X: x, y: y), p256Signature),
            ("Ed25519", ed?.publicKey.flatMap { SignatureKey(ed25519: $0) }, ed?.sign(message) ?? []),
        ]
    }()

    @Test(arguments: keys.indices) func onlyTheKeysSignatureOfTheMessageIsRight(_ index: Int) throws {
        let (name, found, signature) = Self.keys[index]
        let key = try #require(found, "\(name)")
        #expect(key.isSignature(signature, of: Self.message), "\(name)")
        #expect(!key.isSignature(signature, of: Self.message + [0]), "\(name)")
        #expect(!key.isSignature([], of: Self.message), "\(name)")
        #expect(!key.isSignature(signature + [0], of: Self.message), "\(name)")
        #expect(!key.isSignature(signature.dropLast(), of: Self.message), "\(name)")
        #expect(!key.isSignature([UInt8](repeating: 0, count: signature.count), of: Self.message), "\(name)")
        for at in [0, signature.count / 2, signature.count - 1] {
            var wrong = signature
            wrong[at] ^= 1
            #expect(!key.isSignature(wrong, of: Self.message), "\(name) \(at)")
        }
    }

    @Test func whatIsNoKey() {
        let zeros = [UInt8](repeating: 0, count: 32)
        #expect(SignatureKey(p256X: Self.x, y: Self.x) == nil, "a point that is not on the curve")
        #expect(SignatureKey(p256X: zeros, y: zeros) == nil)
        #expect(SignatureKey(p256X: [0] + Self.x, y: Self.y) == nil)
        #expect(SignatureKey(ed25519: Self.x + [0]) == nil)
        #expect(SignatureKey(ed25519: []) == nil)
        #expect(SignatureKey(rsaModulus: Array(Self.modulus.dropFirst()), exponent: [1, 0, 1]) == nil, "2,040 bits")
        #expect(
            SignatureKey(rsaModulus: [0x80] + [UInt8](repeating: 1, count: 1_024), exponent: [3]) == nil, "8,200 bits")
        #expect(SignatureKey(rsaModulus: Array(Self.modulus.dropLast()) + [0x10], exponent: [1, 0, 1]) == nil, "even")
        for exponent: [UInt8] in [[], [0], [1], [2], [1, 0, 0], [UInt8](repeating: 3, count: 9)] {
            #expect(SignatureKey(rsaModulus: Self.modulus, exponent: exponent) == nil, "\(exponent)")
        }
    }
}
