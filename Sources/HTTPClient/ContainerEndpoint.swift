import Basics
import JSONBytes

/// The endpoint that hands a container its credentials (docs.aws.amazon.com, "Container credential provider").
package struct ContainerEndpoint: Hashable, Sendable {
    /// Where it is.
    package let endpoint: ServiceEndpoint
    /// The path and query to ask for.
    package let path: String

    /// Finds it in the environment; nil: there is none.
    package init?(_ surroundings: Surroundings) throws(CredentialProblem) {
        if let relative = surroundings.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            guard relative.hasPrefix("/"), Self.isPlain(relative),
                let endpoint = ServiceEndpoint(CredentialSource.containerHost)
            else { throw CredentialProblem("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path") }
            (self.endpoint, path) = (endpoint, relative)
        } else if let full = surroundings.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            let problem = CredentialProblem(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI must be of https, or of http on this machine or of ECS or EKS")
            guard let slashes = full.firstRange(of: "://"), Self.isPlain(full) else { throw problem }
            let end = full[slashes.upperBound...].firstIndex(of: "/") ?? full.endIndex
            guard let endpoint = ServiceEndpoint(String(full[..<end])),
                endpoint.scheme == "https" || Self.isLocal(endpoint.authority)
            else { throw problem }
            (self.endpoint, path) = (endpoint, end == full.endIndex ? "/" : String(full[end...]))
        } else {
            return nil
        }
    }

    /// The value of the `authorization` header, read again each time as it is rotated; nil: none.
    package static func token(_ surroundings: Surroundings) throws(CredentialProblem) -> String? {
        var token = surroundings.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        if let path = surroundings.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            guard let content = surroundings.file(path) else {
                throw CredentialProblem(
                    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: \(surroundings.fileProblem(path))")
            }
            token = String(decoding: content, as: UTF8.self)
        }
        while token?.last?.isNewline == true { token?.removeLast() }
        guard let token else { return nil }
        guard isPlain(token) || token.split(separator: " ").allSatisfy({ isPlain(String($0)) }) else {
            throw CredentialProblem("the authorization token for the container's credentials is no header's value")
        }
        return token
    }

    /// Reads the endpoint's answer.
    package static func credentials(in answer: [UInt8]) throws(CredentialProblem) -> AWSCredentials {
        guard let json = try? JSON(parsing: answer), let id = json["AccessKeyId"]?.string,
            let secret = json["SecretAccessKey"]?.string
        else { throw CredentialProblem("the container's endpoint gave no credentials") }
        let expiration = json["Expiration"]?.string
        let end = expiration.flatMap { Timestamp.parse($0) }
        if expiration != nil, end == nil { throw CredentialProblem("the container's credentials end at no known time") }
        return AWSCredentials(
            accessKeyId: id, secretAccessKey: secret, sessionToken: json["Token"]?.string, expiration: end)
    }

    private static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 4096 && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    /// Loopback, and the link-local addresses that ECS and EKS answer at.
    private static func isLocal(_ authority: String) -> Bool {
        var host = authority
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") { host = String(host[..<colon]) }
        if ["localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"].contains(host) { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
