import CrowbarCore
import CrowbarHTTP
import JSONBytes
import PluginHost

extension PluginService {
    /// What the web page's console asks beside the command line's listings.
    func console(_ status: ServerStatus, _ replays: ReplayService) -> ConsoleActions {
        let host = host
        return ConsoleActions(
            // There is one node: this process.
            nodes: { [0x5B] + (try await status.json()) + [0x5D] },
            history: { name in try await Self.answer { try await host.history(of: name) } },
            deadLetters: { name, after, limit in
                let (plugin, queue) = Self.parts(name)
                return try await Self.answer {
                    try await host.deadLetterPage(of: plugin, queue: queue, after: after, limit: limit)
                }
            },
            listReplays: { replays.list },
            startReplay: { request in
                guard try await host.knows(request.plugin) else {
                    throw CommandError(
                        .notFound, "there is no plugin '\(request.plugin.prefix(128))'", field: "plugin")
                }
                return try replays.start(request)
            },
            cancelReplay: { try replays.cancel($0) })
    }
}
