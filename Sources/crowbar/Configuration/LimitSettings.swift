import CrowbarHTTP
import Settings

/// Reads `[limits]`: how often machine tokens may call.
enum LimitSettings {
    private static let commands = "commands"
    private static let views = "views"
    private static let events = "events"
    private static let calls = [commands, views, events]
    /// Calls in a second, and calls at once, at most.
    private static let range: ClosedRange<Int64> = 1...1_000_000
    /// The burst where the file names none: calls of so many seconds.
    private static let burstSeconds = 10

    /// The environment variables that win over the file.
    static let variables = calls.flatMap { call in
        ["per_second", "burst"].map { variable("\(call)_\($0)") }
    }

    /// Reads the rates; without a table there are none.
    /// - Throws: ``SettingsError``.
    static func rates(_ table: SettingsReader?, environment: [String: String]) throws -> MachineTokenRates {
        try table?.refuseUnknown(knowing: calls.flatMap { ["\($0)_per_second", "\($0)_burst"] })
        return MachineTokenRates(
            commands: try rate(commands, table, environment), views: try rate(views, table, environment),
            events: try rate(events, table, environment))
    }

    private static func rate(
        _ call: String, _ table: SettingsReader?, _ environment: [String: String]
    ) throws -> CallRate? {
        let (rate, burst) = (call + "_per_second", call + "_burst")
        let atOnce = try number(burst, table, environment)
        guard let perSecond = try number(rate, table, environment) else {
            if atOnce == nil { return nil }
            let reason = "has no effect without '\(rate)'; set '\(rate)' too, or leave '\(burst)' out"
            guard environment[variable(burst)] == nil, let table else { throw error(burst, reason) }
            throw table.error(burst, reason)
        }
        return CallRate(perSecond: perSecond, burst: atOnce ?? min(perSecond * burstSeconds, Int(range.upperBound)))
    }

    private static func number(
        _ key: String, _ table: SettingsReader?, _ environment: [String: String]
    ) throws -> Int? {
        guard let text = environment[variable(key)] else { return try table?.int(key, in: range).map { Int($0) } }
        guard let number = Int64(text), range.contains(number) else {
            throw error(key, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return Int(number)
    }

    /// The environment variable of a key.
    private static func variable(_ key: String) -> String { "CROWBAR_LIMITS_" + key.uppercased() }

    private static func error(_ key: String, _ reason: String) -> SettingsError {
        SettingsError(file: "environment", key: variable(key), reason: reason)
    }
}
