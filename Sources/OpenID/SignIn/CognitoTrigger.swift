import CrowbarCore
import Identity
import JSONBytes

/// What Amazon Cognito gives a Lambda function after somebody confirmed their account
/// (docs.aws.amazon.com, "Post confirmation Lambda trigger").
public struct CognitoTrigger: Sendable {
    /// The longest body, in bytes.
    public static let maxLength = 64 << 10
    /// The source that registers. The same trigger fires after a forgotten password, too.
    static let confirmation = "PostConfirmation_ConfirmSignUp"

    /// What happened.
    var source: String
    /// The user pool, as `eu-central-1_AbCdEf123`.
    var pool: String
    var attributes: JSONObject?

    /// Reads a trigger's JSON.
    /// - Throws: ``CommandError``.
    public init(parsing body: [UInt8]) throws(CommandError) {
        let object: JSONObject
        do throws(JSONError) {
            object = try JSONObject(parsing: body)
        } catch {
            throw CommandError(.malformed, "the body is not one JSON object: \(error)")
        }
        guard let source = object.string("triggerSource"), let pool = object.string("userPoolId") else {
            throw CommandError(
                .invalidCommand, "this is not a trigger of Cognito: 'triggerSource' and 'userPoolId' are missing",
                field: "triggerSource")
        }
        (self.source, self.pool) = (source, pool)
        attributes = object.object("request")?.object("userAttributes")
    }

    /// The subject that it registers, and its name; nil where it registers nobody.
    /// - Throws: ``CommandError`` where it is of another user pool than the issuer's, or has no subject.
    func subject(_ rules: TokenRules) throws(CommandError) -> (subject: String, name: String)? {
        guard source == Self.confirmation else { return nil }
        // The trigger does not tell the user's groups: the first sight of a token does.
        if rules.requiredGroup != nil { return nil }
        guard rules.issuer.split(separator: "/").last.map(String.init) == pool else {
            throw CommandError(
                .invalidCommand, "the user pool '\(pool.prefix(64))' is not the one of [auth.oidc] issuer",
                field: "userPoolId")
        }
        guard let attributes, let subject = attributes.string("sub"),
            TokenVerifier.subjectLength.contains(subject.utf8.count)
        else {
            throw CommandError(
                .invalidCommand, "'request.userAttributes.sub' is missing, or longer than 255 bytes", field: "request")
        }
        for claim in [rules.nameClaim, "preferred_username", "name"] {
            guard let claim else { continue }
            let member = attributes.members.first { attributes.key($0).utf8.elementsEqual(claim.utf8) }
            if let member, member.value.kind == .string,
                let name = DisplayName.cleaned(attributes.string(member.value))
            {
                return (subject, name)
            }
        }
        return (subject, DisplayName.cleaned(subject) ?? UserIdRule.id(ofSubject: subject))
    }
}
