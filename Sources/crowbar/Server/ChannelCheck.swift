import CrowbarSQLite
import Glibc
import PluginHost

/// Finds channels that plugins and incoming hooks name and that the chat does not have.
struct ChannelCheck: Sendable {
    /// Which of these channels do not exist; nil where the log cannot be read.
    let missing: @Sendable (_ names: [String]) async -> [String]?
    /// Which of these channels are private; nil where the log cannot be read.
    let privateChannels: @Sendable (_ names: [String]) async -> [String]?
    private let hooks: @Sendable () async -> [(name: String, channel: String)]

    /// Of a running server's own stores.
    init(_ stores: Stores) {
        let (log, accounts) = (stores.log, stores.accounts)
        missing = { try? await log.missing(channels: $0) }
        privateChannels = { try? await log.privateChannels(among: $0) }
        hooks = { ((try? accounts.hooks()) ?? []).map { ($0.name, $0.channelId) } }
    }

    private init(_ reader: DataReader) {
        missing = { try? await reader.missing(channels: $0) }
        privateChannels = { try? await reader.privateChannels(among: $0) }
        hooks = { (try? await reader.hooks()) ?? [] }
    }

    /// Opens the databases of a data folder to read, also beside the server that works on it.
    ///
    /// SQLite may make files beside them. Made by another user they would keep the server out, so only the folder's
    /// owner does so.
    static func open(_ configuration: Configuration) -> (check: ChannelCheck?, notes: [PluginCheck.Finding]) {
        let path = configuration.data + "/log.db"
        var info = stat()
        func note(_ reason: String) -> [PluginCheck.Finding] {
            [.init(isError: false, text: "whether the channels exist that plugins name was not checked: \(reason)")]
        }
        guard stat(path, &info) == 0 else {
            return errno == ENOENT
                ? (nil, []) : (nil, note("'\(path)' cannot be looked at: \(String(cString: strerror(errno)))"))
        }
        guard info.st_uid == geteuid() else {
            return (nil, note("'\(path)' belongs to user \(info.st_uid); run this as that user"))
        }
        umask(0o077)
        let accounts = configuration.data + "/accounts.db"
        do {
            let reader = try DataReader(log: path, accounts: access(accounts, F_OK) == 0 ? accounts : nil)
            return (ChannelCheck(reader), [])
        } catch {
            return (nil, note("\(error)"))
        }
    }

    /// A line for each incoming hook whose channel does not exist.
    func hookLines() async -> [String] {
        // A hook without a channel is not for messages.
        let hooks = await hooks().filter { !$0.channel.isEmpty }
        guard let missing = await missing(hooks.map(\.channel)) else { return [] }
        return hooks.filter { missing.contains($0.channel) }.map { hook in
            "the incoming hook '\(hook.name)' posts to the channel '\(hook.channel)', which the chat does not have; "
                + "'crowbar channel add \(hook.channel)' makes it, 'crowbar hooks revoke \(hook.name)' ends the hook"
        }
    }

    /// The same as findings.
    func hookFindings() async -> [PluginCheck.Finding] { await hookLines().map { .init(isError: false, text: $0) } }
}
