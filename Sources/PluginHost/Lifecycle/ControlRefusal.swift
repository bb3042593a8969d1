/// Why the operator's wish was not done.
public enum ControlRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    /// There is neither a manifest nor a queue of that name.
    case unknown(String)
    /// There are queues of it, and no manifest.
    case noManifest(String)
    /// Its manifest is not in order; with the reason.
    case broken(String)
    /// Its manifest says `enabled = false`; with the file.
    case notEnabled(String)
    /// It is down, and this is for plugins that run.
    case notRunning(String)
    /// It runs, and this is for plugins that are down.
    case running(String)
    /// It has no such queue; with those that it has.
    case noQueue(plugin: String, queue: String, known: [String])
    /// It has no queue at all yet.
    case noQueues(String)
    /// It has no dead letter of that event.
    case noDeadLetter(String, String)
    /// The log has no such event.
    case noEvent(String)
    /// Something would be lost, and nobody said that it may be; with what.
    case unconfirmed(String)
    /// A queue that is in use was to be forgotten.
    case queueInUse(plugin: String, queue: String)
    /// Events would be delivered again, and nobody said that they may be; with how many to which queues.
    case redelivers(String)
    /// It says no to what was asked; with its reason.
    case refused(plugin: String, String)
    /// It does not do what was asked; with that.
    case unanswerable(plugin: String, String)
    /// It gave no answer.
    case unanswered(String)
    /// The folder of manifests cannot be read; with the reason.
    case folder(String)
    /// The bookkeeping could not be read or written; with the reason.
    case store(String)

    public var description: String {
        switch self {
        case .unknown(let name): "there is no plugin '\(name)'; 'crowbar plugins' lists them"
        case .noManifest(let name): "'\(name)' has no manifest; put one into the folder of plugins"
        case .broken(let reason): "its manifest is not in order: \(reason)"
        case .notEnabled(let file): "\(file) says enabled = false; change that, and it starts"
        case .notRunning(let name): "'\(name)' is not running; 'crowbar plugins start \(name)' starts it"
        case .running(let name): "'\(name)' is running; stop it first: crowbar plugins stop \(name)"
        case .noQueue(let plugin, let queue, let known): Self.noQueue(plugin, queue, known)
        case .noQueues(let name): "'\(name)' has no queue yet; 'start' in its manifest says where a new one begins"
        case .noDeadLetter(let name, let id):
            "'\(name)' has no dead letter of the event '\(id.prefix(128))': "
                + "'crowbar dead-letters list \(name)' lists them"
        case .noEvent(let id): "the log has no event '\(id.prefix(128))'"
        case .unconfirmed(let what): "this would drop \(what); confirm it with \"confirm\": true"
        case .queueInUse(let name, let queue):
            "'\(name)' is running and uses its queue '\(queue)'; take that out of its configuration, or stop the "
                + "plugin first: crowbar plugins stop \(name)"
        case .redelivers(let what): "this would deliver again: \(what); confirm it with \"confirm\": true"
        case .refused(let name, let reason): "'\(name)' says: \(reason)"
        case .unanswerable(let name, let what): "'\(name)' is a plugin that knows no '\(what.prefix(64))'"
        case .unanswered(let name):
            "'\(name)' gave no answer; 'crowbar plugins show \(name)' tells how it is; try again"
        case .folder(let reason): reason
        case .store(let reason): "the bookkeeping could not be read or written: \(reason)"
        }
    }

    private static func noQueue(_ plugin: String, _ queue: String, _ known: [String]) -> String {
        if known.isEmpty { return "'\(plugin)' has no queue '\(queue.prefix(80))'; it has none yet" }
        return "'\(plugin)' has no queue '\(queue.prefix(80))'; it has: \(list(known))"
    }

    /// The first of some names.
    static func list(_ names: [String]) -> String {
        let most = 10
        let rest = names.count > most ? " and \(names.count - most) more" : ""
        return names.prefix(most).joined(separator: ", ") + rest
    }
}
