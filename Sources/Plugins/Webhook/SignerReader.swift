import Basics
import JSONBytes
import PluginKit
import PluginWire

/// Reads the keys of an endpoint: `secret`, or `keys` with an end to each.
enum SignerReader {
    /// Reads them out of the endpoint's table, where problems are noted.
    /// - Parameters:
    ///   - now: Unix time in seconds.
    ///   - isRequired: Whether an endpoint without any key is wrong.
    static func read(_ table: inout ConfigurationTable, now: Int64, isRequired: Bool) -> Signer? {
        let isUnsigned = isUnsigned(&table)
        if isUnsigned, table.value("keys") != nil || table.value("secret") != nil {
            table.fail(
                "unsigned", "an endpoint with a 'secret' or 'keys' is signed; take these out or set this to false")
            return nil
        }
        if table.value("keys") != nil {
            if table.value("secret") != nil {
                table.fail("keys", "give 'secret' or 'keys', not both; 'secret' is short for one key without an end")
            }
            return keys(&table, now)
        }
        if isUnsigned || !isRequired, table.value("secret") == nil { return Signer(keys: []) }
        let hint =
            "give whsec_ and base 64 of 24 to 64 bytes, such as whsec_$(openssl rand -base64 32), or unsigned = true"
        return table.required("secret", hint).flatMap { parse($0, "secret", &table) }.map {
            Signer(keys: [.init(key: $0)])
        }
    }

    /// Whether the endpoint is meant to go without a signature.
    private static func isUnsigned(_ table: inout ConfigurationTable) -> Bool {
        guard let value = table.value("unsigned") else { return false }
        if value.bool == nil { table.fail("unsigned", "true or false is expected") }
        return value.bool ?? false
    }

    private static func keys(_ table: inout ConfigurationTable, _ now: Int64) -> Signer? {
        guard let elements = table.value("keys")?.array, (1...Signer.maxKeys).contains(elements.count) else {
            table.fail("keys", "a list of 1 to \(Signer.maxKeys) keys is expected, each as { secret = …, expires = … }")
            return nil
        }
        var keys: [Signer.Key] = []
        for (i, element) in elements.enumerated() {
            var inner = ConfigurationTable(element, path: table.path(of: "keys[\(i)]"), known: ["secret", "expires"])
            let text = inner.required(
                "secret", "a key is { secret = …, expires = … }, of which 'expires' may be left out")
            let key = text.flatMap { parse($0, "secret", &inner) }
            let expires = expiry(&inner)
            table.adopt(inner.problems)
            if let key { keys.append(.init(key: key, expires: expires)) }
        }
        guard keys.count == elements.count else { return nil }
        let signer = Signer(keys: keys)
        if signer.isExpired(at: now) {
            table.fail(
                "keys", "none of these keys is valid any more; add a key whose 'expires' lies ahead, or has none")
        }
        return signer
    }

    private static func parse(_ text: String, _ path: String, _ table: inout ConfigurationTable) -> SigningKey? {
        do throws(SigningKey.Refusal) { return try SigningKey(text) } catch {
            table.fail(path, "\(error)")
            return nil
        }
    }

    private static func expiry(_ table: inout ConfigurationTable) -> Int64? {
        guard let text = table.string("expires") else { return nil }
        let time = Timestamp.parse(text)
        if time == nil { table.fail("expires", "a time in UTC such as \"2026-12-01T00:00:00Z\" is expected") }
        return time
    }
}
