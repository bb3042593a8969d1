import Basics
import JSONBytes
import PluginWire

/// The `status` of a plugin: the worst of its endpoints, named.
struct StatusReport {
    /// Failed tries one after another from which an endpoint counts as failing.
    static let failures = 3
    /// Endpoints in the details, one entry each: as many as the protocol allows.
    static let maxDetailed = 100
    /// Endpoints that the message names.
    static let maxNamed = 5

    /// The plugin's name, for the commands that texts name.
    let plugin: String
    let words: EndpointWords

    /// Makes the message.
    func message(_ queues: [EndpointQueue], notes: [StatusNote]) -> PluginMessage {
        let gone = queues.filter(\.isGone)
        let unsendable = queues.filter { !$0.isGone && isUnsendable($0) }
        let others = queues.filter { !$0.isGone && !isUnsendable($0) }
        let paused = others.filter(\.health.isPaused)
        let tried = others.filter { !$0.health.isPaused }
        let failing = tried.filter(isFailing)
        let held = tried.filter { $0.holdUntil != nil && !isFailing($0) }
        let well = tried.filter { $0.holdUntil == nil && !isFailing($0) }
        let blocked = words.unsendable
        let parts: [String?] = [
            sentence(
                "gone (410) until their configuration changes or 'crowbar plugins resume \(plugin)/NAME'",
                gone.map(\.name)),
            sentence(blocked?.sentence ?? "", unsendable.map(\.name)),
            notes.compactMap { sentence($0.what, $0.names) }.joined(separator: "; "),
            sentence("paused, tried once an hour", paused.map { "\($0.name)\(code($0))" }),
            sentence("failing", failing.map { "\($0.name)\(code($0))" }),
        ]
        // Each kind of hold under its own name.
        let holds = Dictionary(grouping: held) { words.obstacle($0.last) }.sorted { $0.key < $1.key }
        let all = (parts + holds.map { sentence($0.key, $0.value.map { "\($0.name)\(code($0))" }) }).compactMap(\.self)
            .filter { !$0.isEmpty }
        let isDown = !gone.isEmpty || !unsendable.isEmpty
        let level: PluginMessage.Level = isDown ? .down : all.isEmpty ? .ok : .degraded
        let entries =
            gone.map { entry($0, .down, "gone (410): \(remedy($0) ?? "")") }
            + unsendable.map { entry($0, .down, blocked?.message ?? "") }
            + paused.map { entry($0, .degraded, "paused, tried once an hour\(next($0))\(code($0))") }
            // The host knows when each event is tried again; only this plugin knows about the whole endpoint.
            + failing.map { entry($0, .degraded, "failing\(next($0))\(code($0))") }
            + held.map { entry($0, .degraded, "\(words.obstacle($0.last))\(next($0))\(code($0))") }
            + well.map { entry($0, .ok, "") }
        return .status(
            level: level, message: all.isEmpty ? "\(queues.count) \(words.noun)s" : all.joined(separator: "; "),
            details: .object(Array(entries.prefix(Self.maxDetailed))))
    }

    private func isUnsendable(_ queue: EndpointQueue) -> Bool { queue.last == words.unsendable?.code }

    private func isFailing(_ queue: EndpointQueue) -> Bool {
        queue.failing >= Self.failures || words.lasting.contains(queue.last)
    }

    /// The code of the last try, where the word before it is another.
    private func code(_ queue: EndpointQueue) -> String {
        queue.last == words.obstacle(queue.last) ? "" : " (\(queue.last))"
    }

    /// When an endpoint that is held back is tried again; empty where nothing holds it back.
    private func next(_ queue: EndpointQueue) -> String {
        queue.nextTryAt.map { ", next try at \(Timestamp.seconds($0))" } ?? ""
    }

    /// What the operator can do about an endpoint that is sent nothing; nil where nothing is needed.
    func remedy(_ queue: EndpointQueue) -> String? {
        let command = "'crowbar plugins resume \(plugin)/\(queue.name)'"
        return switch queue.trouble {
        case .gone: "it gets nothing until its configuration changes or \(command)"
        case .paused: "it is paused and tried once an hour; \(command) tries it at once"
        case .failing, .none: nil
        }
    }

    /// An endpoint under its queue's name, so that the host lists each with what is its own.
    private func entry(_ queue: EndpointQueue, _ level: PluginMessage.Level, _ message: String) -> JSON.Member {
        JSON.Member(
            queue.name,
            .object([
                .init("state", .string(level.rawValue)), .init("message", .string(message)),
                .init("delivered", .int(queue.delivered)), .init("failing", .int(Int64(queue.failing))),
                .init("last", .string(queue.last)),
            ]))
    }

    private func sentence(_ what: String, _ names: [String]) -> String? {
        if names.isEmpty { return nil }
        let rest = names.count - Self.maxNamed
        return "\(what): \(names.prefix(Self.maxNamed).joined(separator: ", "))" + (rest > 0 ? " and \(rest) more" : "")
    }
}
