import Basics
import HTTPClient
import JSONBytes
import PluginKit
import PluginWire

/// The `status` of the plugin: the worst of its targets, named.
enum StatusReport {
    /// Failures one after another from which a target counts as failing.
    static let failures = 3
    /// Targets that the details tell of, one entry each: as many as the protocol allows.
    static let maxDetailed = 100
    /// Targets that the message names.
    static let maxNamed = 5

    /// Makes the message.
    /// - Parameter offset: What to add to the lanes' clock for Unix time, in milliseconds.
    static func make(_ lanes: [Lane], _ problems: [CredentialProblem], offset: Int64) -> PluginMessage {
        // What is refused for good is told at once, as it does not come right by itself.
        let isFailing = { (lane: Lane) in
            lane.failing >= failures || ["not_found", "denied", "credentials"].contains(lane.last)
        }
        let failing = lanes.filter(isFailing)
        let held = lanes.filter { $0.holdUntil != nil && !isFailing($0) }
        let parts = [
            sentence("credentials", Set(problems.map(\.message)).sorted()),
            sentence("failing", failing.map { "\($0.target.name) (\($0.last))" }),
            sentence("throttled", held.map(\.target.name)),
        ].compactMap(\.self)
        let message = parts.isEmpty ? "\(lanes.count) targets" : parts.joined(separator: "; ")
        let well = lanes.filter { !isFailing($0) && $0.holdUntil == nil }
        let told =
            failing.map { entry($0, .degraded, "failing\(next($0, offset)) (\($0.last))") }
            + held.map { entry($0, .degraded, "throttled\(next($0, offset))") } + well.map { entry($0, .ok, "") }
        return .status(
            level: parts.isEmpty ? .ok : .degraded, message: message,
            details: .object(Array(told.prefix(maxDetailed))))
    }

    /// When a target that is held back is tried again; empty where nothing holds it back.
    private static func next(_ lane: Lane, _ offset: Int64) -> String {
        lane.holdUntil.map { ", next try at \(Timestamp.seconds($0 + offset))" } ?? ""
    }

    /// A target under its queue's name, so that the host lists each with what is its own.
    private static func entry(_ lane: Lane, _ level: PluginMessage.Level, _ message: String) -> JSON.Member {
        JSON.Member(
            lane.target.name,
            .object([
                .init("state", .string(level.rawValue)), .init("message", .string(message)),
                .init("delivered", .int(lane.delivered)), .init("failing", .int(Int64(lane.failing))),
                .init("last", .string(lane.last)),
            ]))
    }

    private static func sentence(_ what: String, _ names: [String]) -> String? {
        if names.isEmpty { return nil }
        let rest = names.count - maxNamed
        return "\(what): \(names.prefix(maxNamed).joined(separator: ", "))" + (rest > 0 ? " and \(rest) more" : "")
    }
}
