/// What is said of headers of tables, and of general settings.
enum HeaderNote {
    typealias Mark = ImportReport.Mark

    /// - Parameters:
    ///   - path: In lower case.
    ///   - networks: The names of networks by the ids of IRC accounts.
    ///   - used: The ids of accounts that an enabled gateway uses.
    static func mark(_ path: [String], _ networks: [String: String], _ used: Set<String>) -> Mark {
        let names = path.filter { !$0.hasPrefix("[") }
        switch names.first {
        case "general": return .taken("defaults of the accounts")
        case "tengo": return .none("scripts are not run; a plugin can do what they did")
        case "gateway", "samechannelgateway":
            return names.count > 2 ? .taken("options of the channel") : .taken("see its keys")
        case .some(let service):
            if names.count == 1 { return service == "irc" ? .taken("see its accounts") : none(service) }
            let id = names.joined(separator: ".")
            if let network = networks[id] { return .taken("the network `\(network)`") }
            if service == "irc" { return .changed("left out: no enabled gateway has a channel of this account") }
            return WebhookEndpointImport.body(of: service) == nil ? none(service) : .changed("see its keys")
        case nil: return .taken("see its keys")
        }
    }

    /// What is said of everything of a service without a bridge.
    static func none(_ service: String) -> Mark {
        switch service {
        case "api": .none("Crowbar has an HTTP API of its own (docs/api.md); `crowbar token` makes tokens")
        default:
            if WebhookEndpointImport.body(of: service) != nil {
                .changed("webhooks become endpoints; there is no bridge that signs in to \(service)")
            } else {
                .none("there is no bridge to \(ImportReport.code(service))")
            }
        }
    }

    static func general(_ setting: MatterbridgeFile.Setting) -> Mark {
        switch setting.key {
        case "ignorefailureonstart":
            setting.truth == true
                ? .taken("a network that is down keeps nothing else from running")
                : .changed("a network that is down keeps nothing else from running")
        case "logfile": .none("the server logs on standard error; systemd and `>>` put that into a file")
        case _ where setting.key.hasPrefix("media"): .none("files are not carried over")
        default: setting.isOff ? .taken("nothing to write") : .none("there is nothing like it")
        }
    }
}
