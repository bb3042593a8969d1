import CrowbarCore
import JSONBytes

// Bodies that are one JSON object with few members.
extension JSONObject {
    /// Reads a body.
    /// - Parameter known: The members that it may have.
    /// - Throws: ``APIFailure``: `malformed` if it is not one JSON object, `invalid_command` for another member.
    init(body: [UInt8], known: [String]) throws(APIFailure) {
        do {
            try self.init(parsing: body)
        } catch {
            throw APIFailure(.malformed, "the body is not one JSON object: \(error)")
        }
        for member in members where !known.contains(key(member)) {
            let key = String(key(member).prefix(64))
            throw APIFailure(
                .invalidCommand, "'\(key)' is not known here; there are \(known.joined(separator: ", "))", field: key)
        }
    }

    /// The truth value of a member; nil if the member is absent.
    /// - Throws: ``APIFailure`` with `invalid_command` if it is something else, which must not pass for a value that
    ///   nobody gave.
    func flag(_ key: StaticString) throws(APIFailure) -> Bool? {
        guard span(key) != nil else { return nil }
        if let flag = bool(key) { return flag }
        throw APIFailure(.invalidCommand, "'\(key)' must be true or false", field: "\(key)")
    }

    /// The strings of a member; nil if the member is absent.
    /// - Throws: ``APIFailure`` with `invalid_command` if it is anything but an array of strings with an element.
    func texts(_ key: StaticString) throws(APIFailure) -> [String]? {
        guard span(key) != nil else { return nil }
        if let texts = strings(key), !texts.isEmpty { return texts }
        throw APIFailure(.invalidCommand, "'\(key)' must be an array of strings with at least one", field: "\(key)")
    }
}
