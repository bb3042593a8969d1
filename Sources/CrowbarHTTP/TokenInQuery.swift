import CrowbarCore

/// Tokens in the query of an address, which are refused: addresses are kept in logs, histories and referrers.
enum TokenInQuery {
    /// Names of parameters by which other APIs accept a token there (RFC 6750, section 2.3), in lower case.
    private static let names: Set<String> = [
        "access_token", "accesstoken", "api_key", "apikey", "auth", "authorization", "bearer", "id_token", "token",
    ]

    /// - Throws: ``APIFailure`` where a parameter is a token, or is named like one.
    static func refuse(_ query: Substring) throws(APIFailure) {
        // Most queries are short and have none: nothing is decoded for them.
        for part in query.split(separator: "&", maxSplits: 64) {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = halves[0].lowercased()
            let value = halves.count > 1 ? halves[1] : ""
            guard names.contains(name) || isToken(value) else { continue }
            throw APIFailure(
                .malformed,
                "a token must not be in an address, which is kept in logs and histories; send the header "
                    + "'Authorization: Bearer TOKEN', and revoke the token that was sent",
                field: String(name.prefix(64)))
        }
    }

    /// Whether a value has the form of a Crowbar token or of a JWT.
    private static func isToken(_ value: Substring) -> Bool {
        if value.hasPrefix("cb_") { return value.utf8.count == 67 }
        return value.hasPrefix("eyJ") && value.utf8.count { $0 == 0x2E } == 2
    }
}
