import JSONBytes

/// Verifies tokens of an OpenID provider.
public struct TokenVerifier: Sendable {
    /// How far the clocks of server and provider may be apart, in milliseconds.
    public static let leeway: Int64 = 60_000
    /// The bytes of a subject.
    public static let subjectLength = 1...255

    /// What a token is for.
    public enum Purpose: Sendable, Equatable {
        /// A program sent it with a request.
        case bearer
        /// The provider answered it for the code of a sign-in with this nonce.
        case exchange(nonce: String)
    }

    /// The rules that it verifies by.
    public let rules: TokenRules

    /// Makes a verifier.
    public init(rules: TokenRules) { self.rules = rules }

    /// Verifies a token: signature first, then the claims.
    /// - Parameter now: The Unix time in milliseconds.
    /// - Throws: ``TokenRefusal``.
    public func verify(
        _ token: JSONWebToken, keys: KeySet, for purpose: Purpose, now: Int64
    ) throws(TokenRefusal) -> VerifiedToken {
        try keys.verify(token)
        let claims = Claims(token.claims)
        guard Self.isSame(try claims.required("iss"), rules.issuer) else { throw .issuer }
        let kind = try kind(token, claims)
        if case .exchange(let nonce) = purpose {
            guard kind == .identity else { throw .kind("an access token") }
            guard Self.isSame(try claims.required("nonce"), nonce) else { throw .nonce }
        }
        let expires = try verifyTimes(claims, now)
        let subject = try claims.required("sub")
        guard Self.subjectLength.contains(subject.utf8.count) else { throw .invalid("sub") }
        let groups = try rules.groupsClaim.map { name throws(TokenRefusal) in try claims.texts(name) ?? [] } ?? []
        if let required = rules.requiredGroup, !Self.contains(groups, required) { throw .group }
        let userId = UserIdRule.id(ofSubject: subject)
        return VerifiedToken(
            kind: kind, issuer: rules.issuer, subject: subject, userId: userId,
            name: name(claims) ?? DisplayName.cleaned(subject) ?? userId, groups: groups,
            isAdmin: rules.adminGroup.map { Self.contains(groups, $0) }, expires: expires)
    }

    /// What kind of token it is, after a look at whom it is for.
    private func kind(_ token: JSONWebToken, _ claims: Claims) throws(TokenRefusal) -> VerifiedToken.Kind {
        // A security event, such as a logout token, has the claims of an ID token and is none (RFC 8417, 4.5).
        if claims.has("events") { throw .kind("a security event token") }
        let use = try claims.text("token_use")
        if token.type == "at+jwt" {
            let wanted = [rules.clientId] + rules.audiences
            guard use == nil || use == "access" else { throw .kind("a token of two kinds") }
            guard try claims.requiredTexts("aud").contains(where: { Self.contains(wanted, $0) }) else {
                throw .audience
            }
            return .access
        }
        guard token.type == nil || token.type == "jwt" else {
            throw .kind("a token of the type '\(token.type?.prefix(32) ?? "")'")
        }
        switch use {
        case "access":
            guard Self.isSame(try claims.required("client_id"), rules.clientId) else { throw .audience }
            return .access
        case nil, "id":
            let audiences = try claims.requiredTexts("aud")
            guard Self.contains(audiences, rules.clientId) else { throw .audience }
            if audiences.count > 1 {
                guard Self.isSame(try claims.required("azp"), rules.clientId) else { throw .authorizedParty }
            }
            return .identity
        case .some(let other): throw .kind("a token for the use '\(other.prefix(32))'")
        }
    }

    /// - Returns: `exp` in Unix milliseconds.
    private func verifyTimes(_ claims: Claims, _ now: Int64) throws(TokenRefusal) -> Int64 {
        guard let expires = try claims.time("exp") else { throw .missing("exp") }
        guard now - Self.leeway < expires else { throw .expired }
        if let start = try claims.time("nbf"), start > now + Self.leeway { throw .notYetValid }
        if let issued = try claims.time("iat"), issued > now + Self.leeway { throw .issuedInFuture }
        return expires
    }

    private func name(_ claims: Claims) -> String? {
        for claim in [rules.nameClaim, "preferred_username", "name"] {
            // A name of another type is as good as none: the token is about who it is, not how it is called.
            if let claim, let text = try? claims.text(claim), let name = DisplayName.cleaned(text) { return name }
        }
        return nil
    }

    /// Byte for byte: Swift's strings are equal where they look the same.
    private static func isSame(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

    private static func contains(_ texts: [String], _ text: String) -> Bool { texts.contains { isSame($0, text) } }
}

/// The claims of a token, read by name and type.
private struct Claims {
    private let object: JSONObject

    init(_ object: JSONObject) { self.object = object }

    func has(_ name: String) -> Bool { span(name) != nil }

    /// A text; nil where there is none.
    func text(_ name: String) throws(TokenRefusal) -> String? {
        guard let span = span(name) else { return nil }
        guard span.kind == .string else { throw .invalid(name) }
        return object.string(span)
    }

    func required(_ name: String) throws(TokenRefusal) -> String {
        guard let text = try text(name) else { throw .missing(name) }
        return text
    }

    /// A text or an array of texts; nil where there is none.
    func texts(_ name: String) throws(TokenRefusal) -> [String]? {
        guard let span = span(name) else { return nil }
        if span.kind == .string { return [object.string(span)] }
        guard let elements = (try? JSON(parsing: object.bytes[span.range]))?.array else { throw .invalid(name) }
        var texts: [String] = []
        for element in elements {
            guard let text = element.string else { throw .invalid(name) }
            texts.append(text)
        }
        return texts
    }

    func requiredTexts(_ name: String) throws(TokenRefusal) -> [String] {
        guard let texts = try texts(name) else { throw .missing(name) }
        return texts
    }

    /// A time in Unix milliseconds; nil where there is none. Seconds may have a fraction (RFC 7519, section 2).
    func time(_ name: String) throws(TokenRefusal) -> Int64? {
        guard let span = span(name) else { return nil }
        guard span.kind == .number, let seconds = Double(String(decoding: object.bytes[span.range], as: UTF8.self)),
            (0...Self.maxSeconds).contains(seconds)
        else { throw .invalid(name) }
        return Int64(seconds * 1_000)
    }

    /// The end of the year 9999.
    private static let maxSeconds = 253_402_300_799.0

    private func span(_ name: String) -> JSONSpan? {
        object.members.first { object.key($0).utf8.elementsEqual(name.utf8) }?.value
    }
}
