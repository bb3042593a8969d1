import CrowbarCore
import Identity
import Testing

@testable import OpenID

/// AWS' sample of the trigger (docs.aws.amazon.com, "Post confirmation Lambda trigger"), and what differs from it.
@Suite struct CognitoTriggerTests {
    static func sample(
        source: String = "PostConfirmation_ConfirmSignUp", pool: String = "us-east-1_EXAMPLE",
        attributes: String = #""sub":"5f2e1d3c","email_verified":"true","cognito:user_status":"CONFIRMED","#
            + #""email":"user@example.com","nickname":"Ann""#
    ) -> String {
        #"""
        {
          "version": "1",
          "region": "us-east-1",
          "userPoolId": "\#(pool)",
          "userName": "testuser",
          "callerContext": {
            "awsSdkVersion": "aws-sdk-unknown-unknown",
            "clientId": "1example23456789"
          },
          "triggerSource": "\#(source)",
          "request": {
            "userAttributes": { \#(attributes) },
            "clientMetadata": { "source": "mobile" }
          },
          "response": {}
        }
        """#
    }

    private static let rules = TokenRules(
        issuer: "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE", clientId: "c", nameClaim: "nickname")

    private func subject(_ text: String, rules: TokenRules = rules) throws -> [String]? {
        let subject = try CognitoTrigger(parsing: Array(text.utf8)).subject(rules)
        return subject.map { [$0.subject, $0.name] }
    }

    @Test func aConfirmationRegistersItsSubject() throws {
        #expect(try subject(Self.sample()) == ["5f2e1d3c", "Ann"])
        #expect(
            try subject(Self.sample(attributes: #""sub":"x","name":"N","preferred_username":"P""#)) == ["x", "P"])
        #expect(try subject(Self.sample(attributes: #""sub":"x","name":"N","nickname":"\u202e""#)) == ["x", "N"])
        #expect(try subject(Self.sample(attributes: #""sub":"x""#)) == ["x", "x"])
    }

    @Test(arguments: [
        "PostConfirmation_ConfirmForgotPassword", "PreSignUp_SignUp", "PostAuthentication_Authentication",
        "PostConfirmation_AdminConfirmSignUp", "",
    ])
    func everyOtherSourceDoesNothing(source: String) throws {
        #expect(try subject(Self.sample(source: source)) == nil)
        #expect(try subject(Self.sample(source: source, pool: "other", attributes: "")) == nil)
    }

    @Test func aTriggerDoesNotTellGroups() throws {
        var rules = Self.rules
        rules.requiredGroup = "staff"
        #expect(try subject(Self.sample(), rules: rules) == nil)
    }

    @Test(arguments: [
        (sample(pool: "us-east-1_OTHER"), "userPoolId"), (sample(attributes: ""), "request"),
        (sample(attributes: #""sub":1"#), "request"),
        (sample(attributes: #""sub":"\#(String(repeating: "x", count: 256))""#), "request"),
        (#"{"text":"hello"}"#, "triggerSource"), (#"{"triggerSource":1,"userPoolId":"x"}"#, "triggerSource"),
    ])
    func anotherBodyIsRefused(text: String, field: String) throws {
        let error = try #require(throws: CommandError.self) { try subject(text) }
        #expect(error.field == field)
        #expect(error.code == .invalidCommand)
    }

    @Test func aBodyThatIsNoJSONIsRefused() throws {
        for text in ["", "[]", "{", "payload={}"] {
            let error = try #require(throws: CommandError.self) { try subject(text) }
            #expect(error.code == .malformed, "\(text)")
        }
    }
}
