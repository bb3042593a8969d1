extension CredentialSource {
    /// The credentials that the environment holds.
    func environment(_ surroundings: Surroundings) throws(CredentialProblem) -> AWSCredentials {
        guard let id = surroundings.variable("AWS_ACCESS_KEY_ID"),
            let secret = surroundings.variable("AWS_SECRET_ACCESS_KEY")
        else { throw CredentialProblem("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set") }
        return AWSCredentials(
            accessKeyId: id, secretAccessKey: secret, sessionToken: surroundings.variable("AWS_SESSION_TOKEN"))
    }
}
