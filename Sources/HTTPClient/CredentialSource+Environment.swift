import Basics

extension CredentialSource {
    private var names: [String] { ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] }

    /// The credentials that the environment holds.
    package func environment(_ surroundings: Surroundings) throws(CredentialProblem) -> AWSCredentials {
        guard let id = surroundings.variable("AWS_ACCESS_KEY_ID"),
            let secret = surroundings.variable("AWS_SECRET_ACCESS_KEY")
        else { throw CredentialProblem("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set") }
        // A variable that was filled from a file has the file's line break, which would be signed and sent.
        let values = [id, secret, surroundings.variable("AWS_SESSION_TOKEN") ?? ""].map(PaddedText.withoutLastBreak)
        if values[0].isEmpty || values[1].isEmpty {
            throw CredentialProblem("AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is empty")
        }
        if let padded = zip(names, values).first(where: { PaddedText.isPadded($1) }) {
            throw CredentialProblem("\(padded.0): \(PaddedText.problem)")
        }
        return AWSCredentials(
            accessKeyId: values[0], secretAccessKey: values[1], sessionToken: values[2].isEmpty ? nil : values[2])
    }
}
