/// Why a token of an OpenID provider is not accepted.
public enum TokenRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    /// It is no JWT in compact form, or its JSON is wrong; what.
    case malformed(String)
    /// It is longer than ``JSONWebToken/maxLength``.
    case tooLarge
    /// Its header names another algorithm than RS256, ES256 and EdDSA.
    case algorithm(String)
    /// Its header demands an extension (`crit`).
    case critical
    /// No key of the provider has its `kid`. A key set that is fetched again may have one.
    case unknownKey
    /// The key of its `kid` is of another type, or for another use or algorithm.
    case unsuitableKey
    /// The signature is not the key's.
    case signature
    /// It is neither an ID token nor an access token, or not the kind that is needed; what it is.
    case kind(String)
    /// A claim is missing.
    case missing(String)
    /// A claim has a value of the wrong type or size.
    case invalid(String)
    /// `iss` is another issuer.
    case issuer
    /// `aud` or `client_id` names other applications only.
    case audience
    /// It is for several applications, and was issued to another one (`azp`).
    case authorizedParty
    /// It has expired.
    case expired
    /// It is not valid yet (`nbf`).
    case notYetValid
    /// It was issued in the future (`iat`).
    case issuedInFuture
    /// `nonce` is not the one of this sign-in.
    case nonce
    /// The user is not in the group that may sign in. The API answers 403, all others 401.
    case group

    public var description: String {
        switch self {
        case .malformed(let why): "the token is malformed: \(why)"
        case .tooLarge: "the token has more than \(JSONWebToken.maxLength) bytes"
        case .algorithm(let name): "the token's algorithm '\(name)' is not accepted; use RS256, ES256 or EdDSA"
        case .critical: "the token's header has 'crit', which is not supported"
        case .unknownKey: "the issuer has no key with the token's 'kid'"
        case .unsuitableKey: "the issuer's key with the token's 'kid' is not for this algorithm or use"
        case .signature: "the token's signature is wrong"
        case .kind(let what): "\(what) is not accepted here"
        case .missing(let claim): "the token has no '\(claim)'"
        case .invalid(let claim): "the token's '\(claim)' is invalid"
        case .issuer: "the token is of another issuer"
        case .audience: "the token is for another application"
        case .authorizedParty: "the token was issued to another application ('azp')"
        case .expired: "the token has expired"
        case .notYetValid: "the token is not valid yet; compare the clocks of server and issuer"
        case .issuedInFuture: "the token was issued in the future; compare the clocks of server and issuer"
        case .nonce: "the token is of another sign-in ('nonce')"
        case .group: "the user is not in the group that may sign in"
        }
    }
}
