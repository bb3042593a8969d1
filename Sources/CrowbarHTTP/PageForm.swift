import CrowbarCore
import HTTPTypes
import HummingbirdCore

/// What any page can send to any server without asking it: a form or a text, but no JSON (WHATWG Fetch,
/// "CORS-safelisted request-header").
///
/// Such calls must not reach sign-in and registration: a foreign page could use its visitors to guess passwords, and
/// use up the limits of their address.
enum PageForm {
    /// Refuses a call of a page whose body is not declared as JSON, for which the browser would have asked first.
    /// - Throws: ``APIFailure`` with `forbidden`.
    static func refuse(_ request: Request) throws(APIFailure) {
        guard request.method == .post, request.headers[.origin] != nil else { return }
        let type = (request.headers[.contentType] ?? "").prefix { $0 != ";" && $0 != " " }
        guard type.lowercased() != "application/json" else { return }
        throw APIFailure(.forbidden, "a page must send this with 'Content-Type: application/json'")
    }
}
