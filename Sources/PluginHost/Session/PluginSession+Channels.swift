import CrowbarCore
import Logging

// Channels that a plugin's queues name and the chat does not have: what a mistyped link comes to.
extension PluginSession {
    /// Notes which channels the queues name and the commands go to; patterns name none.
    func noteChannels(_ specifications: [Specification]) {
        namedChannels = [:]
        for queue in specifications {
            let read = (queue.filter.channels ?? []).filter { !$0.hasSuffix("*") }
            let names = read + channels(queue.writes).filter { !read.contains($0) }
            if !names.isEmpty { namedChannels[queue.name] = names }
        }
        let written = channels(writes) + specifications.flatMap { channels($0.writes) }
        if !written.isEmpty { namedChannels[MissingChannels.commands] = written }
    }

    private func channels(_ names: [String]) -> [String] {
        names.prefix(Limit.queues).filter { Identifier.isChannel($0) }
    }

    /// Tells the operator, who may have mistyped a name or not made the channel yet.
    func warnOfMissingChannels() async {
        guard replay == nil else { return }
        if let note = manifest.uncheckedNote { log.note(.notice, note) }
        view.channels = namedChannels
        for line in await MissingChannels.lines(namedChannels, manifest, environment) { log.note(.warning, line) }
    }
}

/// Finds the channels that are named and do not exist.
enum MissingChannels {
    /// Channels that are told by name, each with a line.
    static let most = 20
    /// What stands in place of a queue's name for the channels that commands go to.
    static let commands = ""

    /// Something about a channel that the operator is told.
    struct Hint: Equatable {
        var text: String
        /// The queues that name the channel; none where no single queue does, so that it is about each.
        var queues: [String] = []

        /// Whether a queue of the plugin is concerned.
        func isAbout(_ queue: String) -> Bool { queues.isEmpty || queues.contains(queue) }
    }

    /// A line for each missing channel; none where the channels cannot be read.
    /// - Parameter channels: The names, by queue.
    static func lines(
        _ channels: [String: [String]], _ manifest: Manifest?, _ environment: HostEnvironment
    ) async -> [String] { await hints(channels, manifest, environment).map(\.text) }

    /// The same, with the queues that each line is about.
    static func hints(
        _ channels: [String: [String]], _ manifest: Manifest?, _ environment: HostEnvironment
    ) async -> [Hint] {
        let forbidden =
            channels[commands] != nil && manifest?.commands.isEmpty == true ? [Hint(text: noCommands)] : []
        return forbidden + (await missing(channels, environment)) + (await hidden(channels, manifest, environment))
    }

    /// Of a plugin that sends commands, though its manifest allows none.
    static let noCommands =
        "this plugin sends commands, but its manifest allows none, so nothing from it reaches the chat; list them in "
        + "the manifest, such as commands = [\"REGISTER_USER\", \"JOIN_CHANNEL\", \"SEND_MESSAGE\"]"

    /// The queues that name one of these channels, by name.
    private static func queues(naming names: [String], in channels: [String: [String]]) -> [String] {
        channels.filter { $0.key != commands && $0.value.contains { names.contains($0) } }.keys.sorted()
    }

    /// Private channels that are named though the manifest does not allow them.
    private static func hidden(
        _ channels: [String: [String]], _ manifest: Manifest?, _ environment: HostEnvironment
    ) async -> [Hint] {
        let names = Set(channels.values.joined()).subtracting(manifest?.privateChannels ?? [])
        guard !names.isEmpty, let find = environment.privateChannels, let found = await find(names.sorted()) else {
            return []
        }
        return found.sorted().prefix(most).map { name in
            Hint(
                text: "the channel '\(name)' is private, so this plugin neither sees nor joins it; to allow it, set "
                    + "private = true and list '\(name)' under channels in the manifest",
                queues: queues(naming: [name], in: channels))
        }
    }

    private static func missing(_ channels: [String: [String]], _ environment: HostEnvironment) async -> [Hint] {
        let names = Set(channels.values.joined())
        guard !names.isEmpty, let find = environment.missingChannels, let missing = await find(names.sorted()),
            !missing.isEmpty
        else { return [] }
        var hints = missing.sorted().prefix(most).map { name in
            let queues = queues(naming: [name], in: channels)
            let shown = queues.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
            let more = queues.count > 3 ? " and \(queues.count - 3) more" : ""
            let use =
                switch queues.count {
                case 0: "which this plugin writes to"
                case 1: "which queue \(shown) of this plugin names"
                default: "which queues \(shown)\(more) of this plugin name"
                }
            return Hint(
                text: "the chat has no channel '\(name)', \(use); correct the name, or make the channel with "
                    + "'crowbar channel add \(name)'",
                queues: queues)
        }
        if missing.count > most {
            let rest = Array(missing.sorted().dropFirst(most))
            hints.append(
                Hint(text: "\(rest.count) more channels do not exist", queues: queues(naming: rest, in: channels)))
        }
        return hints
    }
}
