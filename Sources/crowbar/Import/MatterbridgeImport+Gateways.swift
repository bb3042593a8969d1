import CrowbarCore
import Settings

extension MatterbridgeImport {
    /// Takes a gateway with its channels.
    mutating func take(_ gateway: MatterbridgeFile.Gateway) throws(SettingsError) {
        let enable = gateway.settings["enable"]
        if let enable, enable.truth == nil {
            throw original.error(enable.entry, enable.path, "must be true or false")
        }
        guard enable?.truth == true else { return leaveOut(gateway) }
        if let enable { report.mark(showing: enable, .taken("an enabled gateway is a channel of the chat")) }
        if gateway.isSameChannel { return try takeSameChannel(gateway) }
        guard let name = gateway.settings["name"], let text = name.text, !text.isEmpty else {
            throw original.error(gateway.entry, "gateway", "an enabled gateway needs a name")
        }
        let channel = channelNames.name(for: text, allowsDots: true)
        channels.append(channel)
        report.mark(
            showing: name, channel == text ? .taken("the channel `\(channel)`") : .changed("the channel `\(channel)`"))
        for setting in gateway.settings.values where !["name", "enable"].contains(setting.key) {
            report.mark(setting.entry, .none("gateways have nothing like it"))
        }
        for leg in gateway.legs { try take(leg, channel) }
    }

    /// Says of all lines of a gateway that nothing came of them.
    private mutating func leaveOut(_ gateway: MatterbridgeFile.Gateway) {
        let mark = Mark.changed("left out: the gateway is not enabled")
        var entries = [gateway.entry]
        entries += gateway.settings.values.map(\.entry)
        for leg in gateway.legs {
            entries.append(leg.entry)
            entries += (Array(leg.settings.values) + leg.options.values).map(\.entry)
        }
        for entry in entries { report.mark(entry, mark) }
        for setting in gateway.settings.values where ["name", "enable"].contains(setting.key) {
            report.mark(showing: setting, mark)
        }
    }

    private mutating func takeSameChannel(_ gateway: MatterbridgeFile.Gateway) throws(SettingsError) {
        if let name = gateway.settings["name"] {
            report.mark(showing: name, .changed("each of its channels is a channel of the chat"))
        }
        guard let accounts = gateway.settings["accounts"], let ids = accounts.texts,
            let names = gateway.settings["channels"], let targets = names.texts
        else {
            throw original.error(
                gateway.entry, "samechannelgateway", "needs the lists of texts 'accounts' and 'channels'")
        }
        var made: [String] = []
        for target in targets {
            let channel = channelNames.name(for: target, allowsDots: true)
            channels.append(channel)
            made.append(channel)
            for id in ids {
                let account = try account(id, accounts)
                switch account.service {
                case "irc": _ = try link(account, target, names, channel, .both, key: nil)
                default: endpoint(account, channel, accounts, options: [:], .both)
                }
            }
        }
        let list = made.map { "`\($0)`" }.joined(separator: ", ")
        report.mark(showing: names, .taken("the channels \(list)"))
        let services = Set(ids.compactMap { $0.split(separator: ".").first.map { $0.lowercased() } })
        report.mark(
            showing: accounts,
            services == ["irc"] ? .taken("a link for each channel") : .changed("links of IRC accounts, and webhooks"))
    }

    /// The account that a gateway names.
    private mutating func account(_ text: String, _ setting: Setting) throws(SettingsError) -> MatterbridgeFile.Account
    {
        let id = text.lowercased()
        guard let account = original.accounts.first(where: { $0.id == id }) else {
            throw original.error(
                setting.entry, setting.path,
                "there is no account '\(text)'; a table [\(text)] must describe it, or the gateway must not name it")
        }
        used.insert(id)
        return account
    }

    private mutating func take(_ leg: MatterbridgeFile.Leg, _ channel: String) throws(SettingsError) {
        guard let name = leg.settings["account"], let text = name.text, !text.isEmpty else {
            throw original.error(
                leg.entry, "gateway.\(leg.direction.rawValue)", "a channel of a gateway needs an account")
        }
        let account = try account(text, name)
        let target = leg.settings["channel"]
        for setting in leg.settings.values where !["account", "channel"].contains(setting.key) {
            report.mark(setting.entry, .none("links have nothing like it"))
        }
        if account.service == "irc" {
            let key = leg.options["key"]
            guard let target, let irc = target.text else {
                throw original.error(
                    leg.entry, "gateway.\(leg.direction.rawValue)", "an IRC channel of a gateway needs a channel")
            }
            let isLinked = try link(account, irc, target, channel, leg.direction, key: key)
            let mark: Mark = isLinked ? .taken("a link of `\(channel)`") : .none("left out: this is no IRC channel")
            report.mark(showing: name, mark)
            report.mark(showing: target, mark)
            for option in leg.options.values {
                if option.key == "key" {
                    report.mark(
                        option.entry, .taken(option.isOff ? "nothing to write" : "`key`, in a file of `secrets/`"))
                } else {
                    report.mark(option.entry, .none("links have nothing like it"))
                }
            }
            return
        }
        let mark = endpoint(account, channel, name, options: leg.options, leg.direction)
        report.mark(showing: name, mark)
        if let target { report.mark(showing: target, mark) }
        for option in leg.options.values where !report.isMarked(option.entry) {
            report.mark(option.entry, option.isOff ? .taken("nothing to write") : mark)
        }
    }

    /// Adds a link, or a direction to the one that is there.
    /// - Returns: Whether it is an IRC channel.
    private mutating func link(
        _ account: MatterbridgeFile.Account, _ target: String, _ setting: Setting, _ channel: String,
        _ direction: MatterbridgeFile.Direction, key: Setting?
    ) throws(SettingsError) -> Bool {
        guard let first = target.utf8.first, "#&+!".utf8.contains(first), target.utf8.count <= 200,
            target.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x2C })
        else { return false }
        let index =
            links.firstIndex {
                $0.channel == channel && $0.account == account.id && $0.target.lowercased() == target.lowercased()
            } ?? links.count
        if index == links.count { links.append(Link(channel: channel, account: account.id, target: target)) }
        if direction != .sends { links[index].receives = true }
        if direction != .receives { links[index].sends = true }
        if let key, !key.isOff, links[index].key == nil { links[index].key = key.text }
        guard links.count <= 1_000 else {
            throw original.error(
                setting.entry, setting.path, "there are over 1000 IRC channels, which the bridge allows")
        }
        return true
    }

    /// Adds a webhook's endpoint where the account has one.
    /// - Returns: What became of the gateway's channel.
    @discardableResult
    private mutating func endpoint(
        _ account: MatterbridgeFile.Account, _ channel: String, _ setting: Setting, options: MatterbridgeFile.Table,
        _ direction: MatterbridgeFile.Direction
    ) -> Mark {
        guard let body = WebhookEndpointImport.body(of: account.service) else {
            return HeaderNote.none(account.service)
        }
        let own = options["webhookurl"].flatMap { $0.isOff ? nil : $0 }
        guard let url = own ?? account.settings["webhookurl"].flatMap({ $0.isOff ? nil : $0 }), let text = url.text
        else {
            return .none("there is no bridge that signs in to \(account.service); a webhook could be sent to")
        }
        guard direction != .receives else { return .none("nothing is received from \(account.service)") }
        let name = endpointNames.name(for: "\(account.service)-\(account.name)-\(channel)")
        endpoints.append(WebhookEndpointImport(name: name, url: text, body: body, channel: channel))
        report.mark(url.entry, .taken("`url` of the endpoint `\(name)`, in a file of `secrets/`"))
        let sends = "the endpoint `\(name)`: messages go to \(account.service)"
        let place = own == nil ? ", to the channel that the webhook belongs to" : ""
        return .changed(direction == .both ? "\(sends)\(place); none come from there" : sends + place)
    }
}
