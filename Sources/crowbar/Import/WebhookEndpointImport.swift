/// A webhook of matterbridge as an endpoint of the webhook plugin (docs/webhook.md).
struct WebhookEndpointImport: Equatable {
    var name: String
    var url: String
    var body: String
    var channel: String

    /// The `body` for a chat service; nil where there is none.
    static func body(of service: String) -> String? {
        switch service {
        case "slack", "slack-legacy": "slack"
        case "discord", "mattermost": service
        default: nil
        }
    }

    private var file: String { "secrets/webhook-\(name)-url" }

    var secrets: [ImportedFile] { [ImportedFile(path: file, text: url + "\n", isSecret: true)] }

    static func manifest(_ endpoints: [WebhookEndpointImport]) -> String {
        var text = """
            # Posts messages to chat services, from matterbridge's webhooks. All keys: docs/webhook.md.

            command = ["crowbar-webhook"]
            start   = "now"

            [sandbox]
            network = true

            """
        for endpoint in endpoints {
            var rows = [
                ("name", TOMLText.string(endpoint.name)),
                ("url", "{ file = \(TOMLText.string("../" + endpoint.file)) }"),
                ("body", TOMLText.string(endpoint.body)),
                ("channels", TOMLText.array([endpoint.channel])),
                ("types", TOMLText.array(["MESSAGE_SENT", "MESSAGE_EDITED", "MESSAGE_DELETED"])),
            ]
            // Slack takes about one message a second.
            if endpoint.body == "slack" { rows.append(("rate", "1")) }
            text += "\n[[config.endpoints]]\n" + TOMLText.table(rows.map { (key: $0.0, value: $0.1) })
        }
        return text
    }
}

extension MatterbridgeImport {
    /// What became of the settings of an account that is none of IRC.
    mutating func note(_ account: MatterbridgeFile.Account) {
        let isService = WebhookEndpointImport.body(of: account.service) != nil
        for setting in account.settings.values where !report.isMarked(setting.entry) {
            if !isService {
                report.mark(setting.entry, HeaderNote.none(account.service))
            } else if setting.isOff {
                report.mark(setting.entry, .taken("nothing to write"))
            } else {
                report.mark(setting.entry, serviceNote(setting, account))
            }
        }
    }

    private func serviceNote(_ setting: Setting, _ account: MatterbridgeFile.Account) -> Mark {
        switch setting.key {
        case "webhookurl": .changed("left out: no enabled gateway sends to this account")
        case "webhookbindaddress":
            .none("nothing is received from \(account.service); an incoming hook (`crowbar hooks add`) takes JSON")
        case "remotenickformat", "prefixmessageswithnick":
            .changed("messages have the author's name, as docs/webhook.md (\"Chat services\") says")
        case "skiptlsverify": .none("certificates are always verified; `ca_file` names another authority")
        case "editsuffix", "editdisable": .none("edits are posted as messages of their own")
        default: .none("the webhook plugin has nothing like it")
        }
    }
}
