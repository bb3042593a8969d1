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

// Members of the calls about accounts.
extension JSONObject {
    /// The string of a member.
    /// - Throws: ``APIFailure`` with `invalid_command` if it is absent or something else.
    func text(_ key: StaticString) throws(APIFailure) -> String {
        if let text = string(key) { return text }
        throw APIFailure(.invalidCommand, "'\(key)' must be a string", field: "\(key)")
    }

    /// The string of a member; nil if the member is absent.
    /// - Throws: ``APIFailure`` with `invalid_command` if it is something else.
    func textIfPresent(_ key: StaticString) throws(APIFailure) -> String? {
        guard span(key) != nil else { return nil }
        return try text(key)
    }

    /// The seconds of a member as `30d`, `12h`, `45m` or `90s`; nil if the member is absent.
    /// - Throws: ``APIFailure`` with `invalid_command` if it is something else or outside the range.
    func lifetime(_ key: StaticString, within range: ClosedRange<Int64>) throws(APIFailure) -> Int64? {
        guard let text = try textIfPresent(key) else { return nil }
        guard let seconds = Lifetime.seconds(text), range.contains(seconds) else {
            throw APIFailure(
                .invalidCommand,
                "'\(key)' must be a time from \(Lifetime.text(range.lowerBound)) to "
                    + "\(Lifetime.text(range.upperBound)), as \"30d\", \"12h\", \"45m\" or \"90s\"",
                field: "\(key)")
        }
        return seconds
    }

    /// The scopes that a member names.
    /// - Throws: ``APIFailure`` with `invalid_command` if it is no array of their names.
    func scopes(_ key: StaticString) throws(APIFailure) -> Principal.Scopes {
        var scopes: Principal.Scopes = []
        for name in strings(key) ?? [""] {
            guard let known = Principal.Scopes.names.first(where: { $0.name == name }) else {
                let names = Principal.Scopes.names.map(\.name).joined(separator: ", ")
                throw APIFailure(.invalidCommand, "'\(key)' must be an array of \(names)", field: "\(key)")
            }
            scopes.insert(known.scope)
        }
        return scopes
    }
}

/// A duration as people write it.
public enum Lifetime {
    private static let units: [(unit: Character, seconds: Int64)] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)]

    /// The seconds of `30d`, `12h`, `45m` or `90s`, up to a hundred years; nil for anything else.
    public static func seconds(_ text: String) -> Int64? {
        guard let unit = units.first(where: { $0.unit == text.last })?.seconds,
            text.utf8.dropLast().allSatisfy({ (0x30...0x39).contains($0) }), let number = Int64(text.dropLast()),
            number > 0, number <= AdminActions.lifetimes.upperBound / unit
        else { return nil }
        return number * unit
    }

    /// Seconds in the largest unit that divides them.
    static func text(_ seconds: Int64) -> String {
        let unit = units.first { seconds % $0.seconds == 0 } ?? ("s", 1)
        return "\(seconds / unit.seconds)\(unit.unit)"
    }
}
