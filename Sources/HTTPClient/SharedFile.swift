/// The shared credentials file of AWS' tools (docs.aws.amazon.com, "Configuration and credential file settings").
package enum SharedFile {
    /// A profile's credentials.
    package static func credentials(in content: [UInt8], profile: String) throws(CredentialProblem) -> AWSCredentials {
        var values: [String: String] = [:]
        var isFound = false
        var isInside = false
        for line in String(decoding: content, as: UTF8.self).split(whereSeparator: \.isNewline) {
            let text = trimmed(line)
            if text.isEmpty || text.hasPrefix("#") || text.hasPrefix(";") { continue }
            if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
                isInside = trimmed(text[text.index(after: text.startIndex)..<end]) == profile
                isFound = isFound || isInside
            } else if isInside, let sign = text.firstIndex(of: "=") {
                values[trimmed(text[..<sign]).lowercased()] = trimmed(text[text.index(after: sign)...])
            }
        }
        guard isFound else { throw CredentialProblem("the file has no profile '\(profile)'", key: "profile") }
        guard let id = values["aws_access_key_id"], let secret = values["aws_secret_access_key"], !id.isEmpty,
            !secret.isEmpty
        else {
            throw CredentialProblem(
                "the profile '\(profile)' has no aws_access_key_id and aws_secret_access_key; "
                    + "nothing else, such as sso or source_profile, is supported", key: "profile")
        }
        return AWSCredentials(accessKeyId: id, secretAccessKey: secret, sessionToken: values["aws_session_token"])
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        guard let first = text.firstIndex(where: { !isBlank($0) }), let last = text.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(text[first...last])
    }
}
