import Basics
import JSONBytes
import PluginKit
import PluginWire

/// The `status` of the plugin: the worst of its endpoints, named.
enum StatusReport {
    /// Failed tries one after another from which an endpoint counts as failing.
    static let failures = 3
    /// Endpoints that the details tell of, one entry each: as many as the protocol allows.
    static let maxDetailed = 100
    /// Endpoints that the message names.
    static let maxNamed = 5

    /// Makes the message.
    static func make(
        _ lanes: [Lane], plugin: String, leftOut: [WebhookConfiguration.LeftOut]
    ) -> PluginMessage {
        let gone = lanes.filter(\.isGone)
        let keyless = lanes.filter { !$0.isGone && $0.last == Judgement.keysExpired }
        let keyed = lanes.filter { !$0.isGone && $0.last != Judgement.keysExpired }
        let paused = keyed.filter(\.health.isPaused)
        let tried = keyed.filter { !$0.health.isPaused }
        let failing = tried.filter { $0.failing >= failures }
        let held = tried.filter { $0.holdUntil != nil && $0.failing < failures }
        let parts = [
            sentence(
                "gone (410) until their configuration changes or 'crowbar plugins resume \(plugin)/NAME'",
                gone.map(\.name)),
            sentence("without a signing key that is still valid (add one to 'keys')", keyless.map(\.name)),
            sentence("left out", leftOut.map { "\($0.problem.path): \($0.problem.message)" }),
            sentence("paused, tried once an hour", paused.map { "\($0.name) (\($0.last))" }),
            sentence("failing", failing.map { "\($0.name) (\($0.last))" }),
            sentence("asked to wait", held.map { "\($0.name) (\($0.last))" }),
        ].compactMap(\.self)
        let level: PluginMessage.Level = !gone.isEmpty || !keyless.isEmpty ? .down : parts.isEmpty ? .ok : .degraded
        let message = parts.isEmpty ? "\(lanes.count) endpoints" : parts.joined(separator: "; ")
        let well = tried.filter { $0.failing < failures && $0.holdUntil == nil }
        let told =
            gone.map { entry($0, .down, "gone (410): \(remedy($0, plugin: plugin) ?? "")") }
            + keyless.map { entry($0, .down, "no signing key is still valid; add one to 'keys'") }
            + paused.map { entry($0, .degraded, "paused, tried once an hour\(next($0)) (\($0.last))") }
            // The host knows when each event is tried again; a wait of the whole endpoint only this plugin does.
            + failing.map { entry($0, .degraded, "failing\(next($0)) (\($0.last))") }
            + held.map { entry($0, .degraded, "asked to wait\(next($0)) (\($0.last))") }
            + well.map { entry($0, .ok, "") }
        return .status(level: level, message: message, details: .object(Array(told.prefix(maxDetailed))))
    }

    /// When an endpoint that is held back is tried again; empty where nothing holds it back.
    private static func next(_ lane: Lane) -> String {
        lane.nextTryAt.map { ", next try at \(Timestamp.seconds($0))" } ?? ""
    }

    /// What the operator can do about an endpoint that gets nothing; nil where it needs nobody.
    static func remedy(_ lane: Lane, plugin: String) -> String? {
        let command = "'crowbar plugins resume \(plugin)/\(lane.name)'"
        return switch lane.trouble {
        case .gone: "it gets nothing until its configuration changes or \(command)"
        case .paused: "it is paused and tried once an hour; \(command) tries it at once"
        case .failing, .none: nil
        }
    }

    /// An endpoint under its queue's name, so that the host lists each with what is its own.
    private static func entry(_ lane: Lane, _ level: PluginMessage.Level, _ message: String) -> JSON.Member {
        JSON.Member(
            lane.name,
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
