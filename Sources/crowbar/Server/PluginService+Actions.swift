import CrowbarCore
import CrowbarHTTP
import JSONBytes
import PluginHost

extension PluginService {
    /// What `crowbar plugins` and `cursor set` do.
    var actions: PluginActions {
        let host = host
        return PluginActions(
            show: { name in
                let (plugin, queue) = Self.parts(name)
                guard let queue else { return try await Self.answer { try await host.show(plugin) } }
                return try await Self.answer { try await host.show(plugin, queue: queue) }
            },
            act: { verb, name in
                guard let verb = PluginHost.Verb(rawValue: verb) else {
                    throw CommandError(.invalidCommand, "there is no verb '\(verb.prefix(64))'")
                }
                let (plugin, queue) = Self.parts(name)
                guard let queue else { return try await Self.answer { try await host.act(verb, on: plugin) } }
                return try await Self.answer { try await host.act(verb, on: plugin, queue: queue) }
            },
            forget: { name, isConfirmed in
                let (plugin, queue) = Self.parts(name)
                return try await Self.answer {
                    guard let queue else { return try await host.forget(plugin, isConfirmed: isConfirmed) }
                    return try await host.forget(plugin, queue: queue, isConfirmed: isConfirmed)
                }
            },
            reload: { try await Self.answer { try host.reload() } },
            ask: { what, name, queue in
                try await Self.answer { try await host.ask(name, what, queue: queue) }
            },
            deliveries: { name, queue, access in
                try await Self.answer { try await host.deliveries(of: name, queue: queue, for: access) }
            },
            logs: { name, after, limit in
                let (plugin, queue) = Self.parts(name)
                return try await Self.answer {
                    try await host.logs(of: plugin, queue: queue, after: after, limit: limit)
                }
            },
            setCursor: { name, text, isConfirmed in
                let (plugin, queue) = Self.parts(name)
                guard let place = StartPoint(text) else {
                    throw CommandError(
                        .invalidCommand,
                        "'\(text.prefix(128))' is no place: beginning, now, id:EVENTID or @2026-11-01T00:00:00Z",
                        field: "to")
                }
                return try await Self.answer {
                    try await host.setCursor(of: plugin, queue: queue, to: place, isConfirmed: isConfirmed)
                }
            },
            deadLetters: { deed, name, eventIds, access in
                let (plugin, queue) = Self.parts(name)
                let letters = PluginHost.Letters(plugin: plugin, queue: queue, eventIds: eventIds)
                return try await Self.answer {
                    switch deed {
                    case .show: try await host.show(letters, for: access)
                    case .retry: try await host.retry(letters)
                    case .drop: try await host.drop(letters)
                    }
                }
            })
    }

    /// Reads the folder of manifests again.
    /// - Returns: What was different, as `NAME changed`.
    func reload() throws -> [String] {
        (try host.reload().array ?? []).map { change in
            let reason = change["reason"]?.string.map { " (\($0))" } ?? ""
            return "\(change["name"]?.string ?? "") \(change["change"]?.string ?? "")\(reason)"
        }
    }

    /// The answer's bytes; a refusal in the API's codes.
    static func answer(_ body: () async throws -> JSON) async throws -> [UInt8] {
        do {
            return try await body().bytes
        } catch let refusal as ControlRefusal {
            var field: String?
            let code: CommandError.Code =
                switch refusal {
                case .unknown, .noQueue: .notFound
                case .noEvent, .noDeadLetter: .eventNotFound
                case .noManifest, .broken, .notEnabled, .notRunning, .running, .noQueues, .queueInUse: .invalidCommand
                case .unconfirmed, .redelivers: .invalidCommand
                case .refused, .unanswerable: .invalidCommand
                case .folder, .store, .unanswered: .unavailable
                }
            switch refusal {
            case .unconfirmed, .redelivers: field = "confirm"
            default: break
            }
            throw CommandError(code, refusal.description, field: field)
        }
    }
}
