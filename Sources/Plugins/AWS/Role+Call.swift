import Basics
import HTTPClient
import PluginKit

extension Role {
    /// How long the credentials last that are asked for, in seconds.
    static let duration = 3600
    /// The time for STS to answer, in milliseconds.
    static let timeout: Int64 = 10_000
    /// Bytes of STS' answer that are read.
    static let answerLimit = 64 << 10
    /// What the session is called in the account's records.
    static let sessionName = "crowbar-aws"

    /// STS' AssumeRole.
    var call: Call {
        var fields = [
            ("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleArn", arn.text),
            ("RoleSessionName", Self.sessionName), ("DurationSeconds", String(Self.duration)),
        ]
        if let externalId { fields.append(("ExternalId", externalId)) }
        var call = Call(
            request: SigV4.Request(
                method: "POST", path: "/", headers: [("content-type", "application/x-www-form-urlencoded")],
                body: PercentEncoding.form(fields)),
            endpoint: endpoint, region: region, service: "sts", timeout: Self.timeout, answerLimit: Self.answerLimit)
        call.keptHeaders = Outcome.Answer.judgedHeaders
        return call
    }

    /// Reads STS' answer.
    func credentials(in outcome: Outcome) throws(CredentialProblem) -> AWSCredentials {
        switch outcome {
        case .failed(_, let message): throw CredentialProblem("the role '\(arn.text)' cannot be assumed: \(message)")
        case .answered(let answer) where !answer.isSuccess:
            throw CredentialProblem("the role '\(arn.text)' cannot be assumed: \(ServiceError(answer))")
        case .answered(let answer):
            let text = answer.text
            guard let id = XMLText.first("AccessKeyId", in: text),
                let secret = XMLText.first("SecretAccessKey", in: text),
                let token = XMLText.first("SessionToken", in: text),
                let end = XMLText.first("Expiration", in: text).flatMap({ Timestamp.parse($0) })
            else { throw CredentialProblem("STS gave no credentials for the role '\(arn.text)'") }
            return AWSCredentials(accessKeyId: id, secretAccessKey: secret, sessionToken: token, expiration: end)
        }
    }
}
