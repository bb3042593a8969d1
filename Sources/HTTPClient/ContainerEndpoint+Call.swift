extension ContainerEndpoint {
    /// The time for the endpoint to answer, in milliseconds.
    package static let timeout: Int64 = 5000
    /// Bytes of its answer that are read.
    package static let answerLimit = 64 << 10

    /// The request for credentials, which is not signed.
    package func call(_ surroundings: Surroundings) throws(CredentialProblem) -> Call {
        let parts = path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        var headers: [SigV4.Request.Header] = []
        if let token = try Self.token(surroundings) { headers.append(("authorization", token)) }
        return Call(
            request: SigV4.Request(
                method: "GET", path: parts[0], query: parts.count > 1 ? parts[1] : "", headers: headers),
            endpoint: endpoint, region: "", service: nil, timeout: Self.timeout, answerLimit: Self.answerLimit)
    }

    /// Reads what came of it.
    package static func credentials(of outcome: Outcome) throws(CredentialProblem) -> AWSCredentials {
        switch outcome {
        case .failed(_, let message): throw CredentialProblem("the container's credentials: \(message)")
        case .answered(let answer) where !answer.isSuccess:
            throw CredentialProblem("the container's credentials: its endpoint answered \(answer.status)")
        case .answered(let answer): return try credentials(in: answer.body)
        }
    }
}
