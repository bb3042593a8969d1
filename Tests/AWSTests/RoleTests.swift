import HTTPClient
import Testing

@testable import AWS

/// What STS is asked and answers.
@Suite struct RoleTests {
    @Test func anAnswerOfSTSIsRead() throws {
        let answer = """
            <AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId>\
            <SecretAccessKey>S&amp;</SecretAccessKey><SessionToken>T</SessionToken>\
            <Expiration>2015-08-30T12:36:00.789Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>
            """
        let role = try Self.role()
        #expect(
            try role.credentials(in: .answered(.init(status: 200, body: Array(answer.utf8))))
                == AWSCredentials(
                    accessKeyId: "ASIA", secretAccessKey: "S&", sessionToken: "T", expiration: 1_440_938_160))
        let denied = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
        let problem = #expect(throws: CredentialProblem.self) {
            try role.credentials(in: .answered(.init(status: 403, body: Array(denied.utf8))))
        }
        #expect(problem?.message.contains("AccessDenied (403): no") == true)
        let form = String(decoding: role.call.request.body, as: UTF8.self)
        #expect(form.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A210987654321%3Arole%2Fcrowbar"))
        #expect(form.contains("ExternalId=e%207"))
    }

    private static func role() throws -> Role {
        Role(
            arn: try #require(ARN("arn:aws:iam::210987654321:role/crowbar")), externalId: "e 7", region: "eu-west-1",
            endpoint: try #require(ServiceEndpoint("https://sts.eu-west-1.amazonaws.com")))
    }
}
