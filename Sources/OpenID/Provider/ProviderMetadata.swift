import JSONBytes

/// The parts of a discovery document that are used (OpenID Connect Discovery 1.0, section 3).
enum ProviderMetadata {
    /// Reads a document.
    /// - Parameter issuer: The configured issuer, which the document must name byte for byte.
    /// - Throws: ``ProviderFailure``.
    static func endpoints(
        _ document: [UInt8], issuer: String
    ) throws(ProviderFailure) -> OpenIDSettings.Endpoints {
        let object: JSONObject
        do throws(JSONError) {
            object = try JSONObject(parsing: document)
        } catch {
            throw ProviderFailure("the discovery document is not one JSON object: \(error)")
        }
        guard let named = object.string("issuer") else {
            throw ProviderFailure("the discovery document has no 'issuer'")
        }
        guard named.utf8.elementsEqual(issuer.utf8) else {
            throw ProviderFailure(
                "the discovery document is of the issuer '\(named.prefix(256))'; write that in [auth.oidc] issuer if "
                    + "it is meant")
        }
        func url(_ name: StaticString) throws(ProviderFailure) -> ProviderURL? {
            guard let text = object.string(name) else { return nil }
            guard let url = ProviderURL(text) else {
                throw ProviderFailure("'\(name)' of the discovery document is neither https nor on loopback")
            }
            return url
        }
        func required(_ name: StaticString) throws(ProviderFailure) -> ProviderURL {
            guard let url = try url(name) else { throw ProviderFailure("the discovery document has no '\(name)'") }
            return url
        }
        return OpenIDSettings.Endpoints(
            authorize: try required("authorization_endpoint"), token: try required("token_endpoint"),
            keys: .url(try required("jwks_uri")), endSession: try url("end_session_endpoint"))
    }
}
