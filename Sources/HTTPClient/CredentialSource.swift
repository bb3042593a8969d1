/// Where the plugin's own credentials come from.
package enum CredentialSource: Hashable, Sendable {
    /// `AWS_ACCESS_KEY_ID` and its like.
    case environment
    /// A profile of a shared credentials file.
    case file(path: String, profile: String)
    /// The credentials endpoint of ECS, EKS and their like.
    case container(ContainerEndpoint)

    /// What ECS puts before a relative URI.
    package static let containerHost = "http://169.254.170.2"

    /// Finds the source.
    /// - Parameter kind: `environment`, `file` or `container`; nil: the first of these that there is.
    package init(_ kind: String?, profile: String?, file: String?, _ surroundings: Surroundings)
        throws(CredentialProblem)
    {
        let variable = surroundings.variable
        let isInEnvironment = variable("AWS_ACCESS_KEY_ID") != nil && variable("AWS_SECRET_ACCESS_KEY") != nil
        if kind == "environment" || (kind == nil && isInEnvironment) {
            guard isInEnvironment else {
                throw CredentialProblem(
                    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"
                        + (surroundings.hasManifest ? "; the manifest's [env] pass must name them" : ""))
            }
            self = .environment
            return
        }
        if kind != "container" {
            let path =
                file ?? variable("AWS_SHARED_CREDENTIALS_FILE") ?? variable("HOME").map { "\($0)/.aws/credentials" }
            if let path {
                let profile = profile ?? variable("AWS_PROFILE") ?? "default"
                if let content = surroundings.file(path) {
                    _ = try SharedFile.credentials(in: content, profile: profile)
                    self = .file(path: path, profile: profile)
                    return
                }
                if kind == "file" {
                    throw CredentialProblem(surroundings.fileProblem(path), key: "credentials_file")
                }
            } else if kind == "file" {
                throw CredentialProblem("is missing", key: "credentials_file")
            }
        }
        if let endpoint = try ContainerEndpoint(surroundings) {
            self = .container(endpoint)
            return
        }
        throw CredentialProblem(
            kind == "container"
                ? "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and AWS_CONTAINER_CREDENTIALS_FULL_URI are not set; "
                    + (surroundings.hasManifest ? "the manifest's [env] pass must name one" : "set one of them")
                : "there are none: "
                    + (surroundings.hasManifest
                        ? "pass AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY by the manifest's [env], "
                        : "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the server's environment, ")
                    + "or give a credentials_file")
    }
}
