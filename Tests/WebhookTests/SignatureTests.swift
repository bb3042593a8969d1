import PluginKit
import Testing

@testable import Webhook

/// Standard Webhooks signatures and their secrets.
@Suite struct SignatureTests {
    /// The example of the Standard Webhooks documentation and its libraries.
    @Test func theKnownExampleIsSigned() throws {
        let secret = try #require(SigningSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        let signature = secret.signature(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: Array(#"{"test": 2432232314}"#.utf8))
        #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test(arguments: [(23, false), (24, true), (32, true), (64, true), (65, false), (0, false)])
    func secretsHave24To64Bytes(_ count: Int, _ isTaken: Bool) {
        let text = "whsec_" + Base64.encode([UInt8](repeating: 0xA5, count: count))
        #expect((SigningSecret(text) != nil) == isTaken)
    }

    @Test(arguments: [
        "", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS-", "whsec_ MfKQ9r8GKYqrTwjUPD8",
    ])
    func otherTextsAreNoSecret(_ text: String) {
        #expect(SigningSecret(text) == nil)
    }

    @Test func aSecretIsNotPrinted() throws {
        let secret = try #require(SigningSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        #expect("\(secret)" == "whsec_…")
        #expect(String(reflecting: secret) == "whsec_…")
    }

    /// RFC 4648, section 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func base64GoesBothWays(_ plain: String, _ text: String) {
        #expect(Base64.encode(Array(plain.utf8)) == text)
        #expect(Base64.decode(text) == Array(plain.utf8))
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Zg===", "====", "Zh==", "Zm9=", "Zm=v", "Zm9v\n", "Zm_v", "=m9v"])
    func brokenBase64IsRefused(_ text: String) {
        #expect(Base64.decode(text) == nil)
    }
}
