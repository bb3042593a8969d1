import CrowbarCore
import Settings

/// Turns a configuration of matterbridge into one of Crowbar (docs/how-to/move-from-matterbridge.md).
///
/// Each gateway becomes a channel of the chat. Its IRC channels become links of the IRC bridge, its webhooks endpoints
/// of the webhook plugin. No input or output: what it makes is a value.
struct MatterbridgeImport {
    typealias Setting = MatterbridgeFile.Setting
    typealias Mark = ImportReport.Mark

    /// An IRC channel of a gateway, as a link.
    struct Link {
        var channel: String
        var account: String
        var target: String
        var receives = false
        var sends = false
        var key: String?
    }

    let original: MatterbridgeFile
    /// The folder of the original, from the root.
    let folder: String
    var report: ImportReport
    var channels: [String] = []
    var links: [Link] = []
    var endpoints: [WebhookEndpointImport] = []
    var channelNames = NameSource()
    var endpointNames = NameSource()
    /// Accounts that an enabled gateway uses.
    var used: Set<String> = []

    /// - Parameter folder: The folder of the original, from the root.
    /// - Throws: ``SettingsError`` with the line of what keeps matterbridge from starting too.
    static func run(_ original: MatterbridgeFile, folder: String) throws(SettingsError) -> ImportedConfiguration {
        var work = MatterbridgeImport(original: original, folder: folder, report: ImportReport(original))
        return try work.configuration()
    }

    private mutating func configuration() throws(SettingsError) -> ImportedConfiguration {
        for gateway in original.gateways { try take(gateway) }
        var files: [ImportedFile] = []
        let networks = try networks()
        files += networks.flatMap(\.secrets) + endpoints.flatMap(\.secrets)
        var names: [String: String] = [:]
        for (account, network) in zip(ircAccounts, networks) { names[account.id] = network.name }
        let (rows, keys) = linkRows(names)
        files += keys
        for account in original.accounts where account.service != "irc" { note(account) }
        noteGeneral()
        noteHeaders(names)
        let webhook = endpoints.isEmpty ? nil : WebhookEndpointImport.manifest(endpoints)
        let irc = networks.isEmpty ? nil : ircManifest(networks, rows)
        let manifests = [("plugins.d/irc.toml", irc), ("plugins.d/webhook.toml", webhook)].compactMap { path, text in
            text.map { ImportedFile(path: path, text: $0) }
        }
        let text = readme(files + manifests)
        files.append(ImportedFile(path: ImportedConfiguration.reportFile, text: text))
        return ImportedConfiguration(files: files + manifests, channels: channels, report: report)
    }

    // MARK: IRC

    private var ircAccounts: [MatterbridgeFile.Account] {
        original.accounts.filter { account in
            account.service == "irc" && links.contains { $0.account == account.id }
        }
    }

    private mutating func networks() throws(SettingsError) -> [IRCNetworkImport] {
        var names = NameSource()
        var networks: [IRCNetworkImport] = []
        for account in original.accounts where account.service == "irc" {
            guard links.contains(where: { $0.account == account.id }) else {
                for setting in account.settings.values {
                    report.mark(setting.entry, .changed("left out: no enabled gateway has a channel of this account"))
                }
                continue
            }
            // What is general counts where the account says nothing, as with matterbridge.
            let settings = original.general.filter { Self.generalKeys.contains($0.key) }
                .merging(account.settings) { $1 }
            let network = IRCNetworkImport(name: names.name(for: account.name), settings: settings, folder: folder)
            if let (setting, reason) = network.problem {
                throw original.error(setting.entry, setting.path, reason)
            }
            for (setting, mark, isShown) in network.marks {
                if isShown { report.mark(showing: setting, mark) } else { report.mark(setting.entry, mark) }
            }
            networks.append(network)
        }
        guard networks.count <= 64 else {
            throw SettingsError(file: original.file, reason: "has over 64 IRC accounts, which the IRC bridge allows")
        }
        return networks
    }

    /// Keys of `[general]` that are defaults of accounts.
    private static let generalKeys: Set = [
        "remotenickformat", "stripnick", "ignorenicks", "ignoremessages", "replacemessages", "replacenicks",
        "extractnicks", "colornicks", "showjoinpart", "messagedelay", "messagelength", "messagesplit", "label",
    ]

    private func linkRows(_ names: [String: String]) -> (rows: [[(key: String, value: String)]], keys: [ImportedFile]) {
        var (rows, keys): ([[(key: String, value: String)]], [ImportedFile]) = ([], [])
        var files = NameSource()
        for link in links {
            guard let network = names[link.account] else { continue }
            var row = [
                ("channel", TOMLText.string(link.channel)), ("irc", TOMLText.string("\(network)/\(link.target)")),
            ]
            if let key = link.key {
                let file = "secrets/" + files.name(for: "irc-\(network)-\(link.target)-key", most: 100)
                keys.append(ImportedFile(path: file, text: key + "\n", isSecret: true))
                row.append(("key", "{ file = \(TOMLText.string("../" + file)) }"))
            }
            if link.receives != link.sends {
                row.append(("direction", TOMLText.string(link.sends ? "to_irc" : "to_chat")))
            }
            rows.append(row.map { (key: $0.0, value: $0.1) })
        }
        return (rows, keys)
    }

    private func ircManifest(_ networks: [IRCNetworkImport], _ links: [[(key: String, value: String)]]) -> String {
        let readable = networks.flatMap(\.readable)
        var text = """
            # The IRC bridge, from \(Self.comment(original.file)). All keys: docs/irc.md.

            command    = ["crowbar-irc"]
            own_events = true          # messages from one IRC channel also go to the others of its chat channel
            replay     = false         # what was said on IRC cannot be said again
            commands   = ["REGISTER_USER", "RENAME_USER", "JOIN_CHANNEL", "LEAVE_CHANNEL",
                          "SEND_MESSAGE", "EDIT_MESSAGE", "DELETE_MESSAGE",
                          "SET_TOPIC"]

            [sandbox]
            network = true

            """
        if !readable.isEmpty { text += "read    = \(TOMLText.array(readable))\n" }
        for network in networks { text += "\n[[config.networks]]\n" + TOMLText.table(network.rows) }
        for link in links { text += "\n[[config.links]]\n" + TOMLText.table(link) }
        return text
    }

    /// A text within a comment.
    static func comment(_ text: String) -> String { TerminalText.line(text) }

    // MARK: The report

    private func readme(_ files: [ImportedFile]) -> String {
        let counts = ImportReport.Verdict.allCases.map { "\($0.rawValue): \(report.count($0))" }
        var text = """
            # Import of \(ImportReport.code(original.file))

            Made by `crowbar import matterbridge`. Nothing reads this file; remove it when you are done.

            Keys and tables of the original: \(counts.joined(separator: ", ")).

            - *taken*: Crowbar does the same
            - *changed*: Crowbar does something like it, or does it always, or the line has no effect
            - *no counterpart*: Crowbar does not do it

            ## Files


            """
        for file in files.sorted(by: { $0.path < $1.path }) {
            text += "- `\(file.path)`\(file.isSecret ? ": a secret, for its owner's eyes" : "")\n"
        }
        text += "\n## Channels\n\nEach enabled gateway is a channel of the chat.\n\n"
        text += channels.isEmpty ? "There is none.\n" : channels.map { "- `\($0)`\n" }.joined()
        text += """

            If they are not there yet, make them with `crowbar channel add NAME`, or import again with
            `--create-channels` into another folder. Then run `crowbar check` and `crowbar serve`.

            ## What is different

            - Messages that cannot be sent wait in the log; none is dropped when a queue is full or a network is down.
            - Topics, edits and deletions are carried over too. Joins and parts are not said.
            - People on IRC are users of the chat, and the chat has an HTTP API and a web page of its own.

            ## Line by line


            """
        return text + report.markdown
    }

    private mutating func noteHeaders(_ networks: [String: String]) {
        for (index, entry) in original.entries.enumerated() where entry.isHeader && !report.isMarked(index) {
            report.mark(index, HeaderNote.mark(entry.path.map { $0.lowercased() }, networks, used))
        }
    }

    private mutating func noteGeneral() {
        for setting in original.general.values where !report.isMarked(setting.entry) {
            if Self.generalKeys.contains(setting.key) {
                let text = "no IRC account uses this default"
                report.mark(showing: setting, setting.isOff ? .taken("nothing to write") : .changed(text))
            } else {
                report.mark(setting.entry, HeaderNote.general(setting))
            }
        }
        for (index, entry) in original.entries.enumerated() where entry.path.first?.lowercased() == "tengo" {
            if !entry.isHeader { report.mark(index, .none("scripts are not run; a plugin can do what they did")) }
        }
    }
}
