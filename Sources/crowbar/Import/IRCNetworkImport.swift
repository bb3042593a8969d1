/// An IRC account of matterbridge as a network of the IRC bridge (docs/irc.md).
struct IRCNetworkImport {
    typealias Setting = MatterbridgeFile.Setting
    typealias Mark = ImportReport.Mark

    /// The network's name.
    let name: String
    /// The account's settings, with the general ones where it has none of its own.
    private let settings: MatterbridgeFile.Table
    /// The folder of the original, from the root: relative paths in it are taken from there.
    private let folder: String
    /// The keys of `[[config.networks]]`.
    private(set) var rows: [(key: String, value: String)] = []
    private(set) var secrets: [ImportedFile] = []
    /// Files that the plugin must be allowed to read.
    private(set) var readable: [String] = []
    private(set) var marks: [(setting: Setting, mark: Mark, isShown: Bool)] = []
    private(set) var problem: (setting: Setting, reason: String)?

    init(name: String, settings: MatterbridgeFile.Table, folder: String) {
        (self.name, self.settings, self.folder) = (name, settings, folder)
        rows.append(("name", TOMLText.string(name)))
        server()
        identity()
        account()
        commands()
        flood()
        text()
        for setting in settings.values.sorted(by: { $0.entry < $1.entry }) where !isMarked(setting) { note(setting) }
    }

    /// Whether the connection is encrypted.
    private var isTLS: Bool { settings["usetls"]?.truth ?? false }

    // MARK: Marks

    private func isMarked(_ setting: Setting) -> Bool { marks.contains { $0.setting == setting } }

    private mutating func show(_ setting: Setting, _ mark: Mark) { marks.append((setting, mark, true)) }
    private mutating func hide(_ setting: Setting, _ mark: Mark) { marks.append((setting, mark, false)) }

    private mutating func fail(_ setting: Setting, _ reason: String) {
        if problem == nil { problem = (setting, reason) }
        hide(setting, .none(reason))
    }

    private mutating func put(_ key: String, _ value: String) { rows.append((key, value)) }

    /// The setting under a key, where it says something.
    private func given(_ key: String) -> Setting? { settings[key].flatMap { $0.isOff ? nil : $0 } }

    /// Writes a secret into a file of its own.
    /// - Returns: What stands for it in the manifest.
    private mutating func secret(_ text: String, _ what: String) -> String {
        let file = "secrets/irc-\(name)-\(what)"
        secrets.append(ImportedFile(path: file, text: text + "\n", isSecret: true))
        return "{ file = \(TOMLText.string("../" + file)) }"
    }

    // MARK: Where to

    private mutating func server() {
        guard let setting = settings["server"], let text = setting.text, !text.isEmpty else {
            if let any = settings["server"] ?? settings.values.min(by: { $0.entry < $1.entry }) {
                fail(any, "the account has no Server; set it to HOST:PORT")
            }
            return
        }
        var (host, port) = (text[...], "")
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            (host, port) = (text[..<colon], String(text[text.index(after: colon)...]))
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        put("host", TOMLText.string(String(host)))
        if port.isEmpty {
            show(setting, .changed("`host`; it has no port, so the default one is used"))
        } else if let number = Int(port), (1...65_535).contains(number) {
            put("port", "\(number)")
            show(setting, .taken("`host` and `port`"))
        } else {
            fail(setting, "the port must be a number from 1 to 65535")
        }
        put("tls", "\(isTLS)")
        if let tls = settings["usetls"] {
            if tls.truth == nil { fail(tls, "must be true or false") } else { show(tls, .taken("`tls`")) }
        }
        if let skips = settings["skiptlsverify"] {
            if isTLS, !skips.isOff {
                show(
                    skips,
                    .none(
                        "certificates are always verified; where the server's has no known authority, set `pin` or "
                            + "`ca_file`"))
            } else {
                show(skips, .taken(isTLS ? "certificates are always verified" : "without TLS there is no certificate"))
            }
        }
        route()
    }

    private mutating func route() {
        if let bind = given("bind") {
            if let text = bind.text, text.contains("."), text.allSatisfy({ $0.isNumber || $0 == "." }) || isIPv6(text) {
                put("bind", TOMLText.string(text))
                show(bind, .taken("`bind`"))
            } else {
                show(bind, .none("`bind` takes an address, and no name"))
            }
        }
        guard let certificate = given("tlsclientcertificate"), let text = certificate.text else { return }
        guard isTLS else { return show(certificate, .none("of use with UseTLS only")) }
        let path = text.hasPrefix("/") ? text : folder + "/" + text
        put("client_cert", TOMLText.string(path))
        readable.append(path)
        let advice = "`client_cert`, and `read` of the sandbox; the plugin's user must be able to read the file"
        show(certificate, text.hasPrefix("/") ? .taken(advice) : .changed(advice + "; the path was completed"))
    }

    private func isIPv6(_ text: String) -> Bool {
        text.contains(":") && text.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
    }

    // MARK: As whom

    private mutating func identity() {
        let nick = settings["nick"]?.text ?? ""
        if let setting = settings["nick"], !nick.isEmpty {
            put("nick", TOMLText.string(nick))
            let others = ["username", "realname"].filter { given($0) == nil }
            let also = others.isEmpty ? "" : "; also the user name or real name, as matterbridge has it"
            show(setting, .taken("`nick`" + also))
        }
        let user = given("username")?.text ?? nick
        if let setting = given("username") { show(setting, .taken("`user`")) }
        let isUser = user.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && !"@!*".utf8.contains($0) }
        if !user.isEmpty, isUser { put("user", TOMLText.string(user)) }
        let realname = given("realname")?.text ?? nick
        if let setting = given("realname") { show(setting, .taken("`realname`")) }
        if !realname.isEmpty { put("realname", TOMLText.string(realname)) }
        if let password = given("password"), let text = password.text {
            put("server_password", secret(text, "server-password"))
            hide(password, .taken("`server_password`, in a file of `secrets/`"))
        }
    }

    private mutating func account() {
        let (nick, password) = (given("nickservnick"), given("nickservpassword"))
        let (user, sasl) = (given("nickservusername"), settings["usesasl"])
        if let sasl { show(sasl, .taken(sasl.truth == true ? "`sasl`" : "without SASL")) }
        guard let password, let secretText = password.text, let nick, let service = nick.text else {
            if let password { hide(password, .changed("left out: without NickServNick it is not used")) }
            if let nick { show(nick, .changed("left out: without NickServPassword it is not used")) }
            if let user { show(user, .changed("left out: it is not used")) }
            if let sasl, sasl.truth == true {
                show(sasl, .none("left out: SASL needs NickServNick and NickServPassword"))
            }
            return
        }
        if sasl?.truth == true {
            let file = secret(secretText, "sasl-password")
            put("sasl", "{ mechanism = \"plain\", account = \(TOMLText.string(service)), password = \(file) }")
            show(nick, .taken("`account` of `sasl`"))
            hide(password, .taken("`password` of `sasl`, in a file of `secrets/`"))
            if let user { show(user, .changed("left out: SASL does not use it")) }
            return
        }
        let file = secret(secretText, "nickserv-password")
        hide(password, .taken("`password` of `nickserv`, in a file of `secrets/`"))
        switch service.lowercased() {
        case "q@cserve.quakenet.org":
            put(
                "nickserv",
                "{ service = \(TOMLText.string(service)), account = \(TOMLText.string(user?.text ?? "")), "
                    + "password = \(file) }")
            show(nick, .taken("`service` of `nickserv`"))
            if let user { show(user, .taken("`account` of `nickserv`")) }
        case "nickserv":
            put("nickserv", "{ password = \(file) }")
            show(nick, .taken("`nickserv`, which tells NickServ the password of the nick"))
            if let user { show(user, .changed("left out: matterbridge uses it with QuakeNet's Q only")) }
        default:
            put(
                "nickserv",
                "{ service = \(TOMLText.string(service)), command = \"IDENTIFY {password}\", password = \(file) }")
            show(nick, .taken("`service` of `nickserv`"))
            if let user { show(user, .changed("left out: matterbridge uses it with QuakeNet's Q only")) }
        }
    }

    /// Words of a line that probably holds a password.
    private static let secretWords = ["identify", "auth", "login", "pass", "oper", "key", "secret", "ghost", "regain"]
    private static let mostCommands = 20

    private mutating func commands() {
        guard let setting = settings["runcommands"] else { return }
        guard let commands = setting.texts else { return fail(setting, "must be a list of texts") }
        if commands.isEmpty { return hide(setting, .taken("nothing to write")) }
        var lines: [String] = []
        for (index, command) in commands.prefix(Self.mostCommands).enumerated() {
            let line = command.replacing("{BOTNICK}", with: "{nick}")
            let small = line.lowercased()
            lines.append(
                Self.secretWords.contains(where: small.contains)
                    ? secret(line, "command-\(index + 1)") : TOMLText.string(line))
        }
        put("perform", "[" + lines.joined(separator: ", ") + "]")
        let left = commands.count - lines.count
        hide(
            setting,
            left > 0
                ? .changed("`perform`, which has \(Self.mostCommands) lines at most; \(left) were left out")
                : .taken("`perform`; lines that seem to hold a password are files of `secrets/`"))
    }

    private mutating func flood() {
        guard let delay = settings["messagedelay"] else { return }
        guard let milliseconds = delay.number, milliseconds >= 0 else {
            return fail(delay, "must be a number of milliseconds")
        }
        if milliseconds == 0 { return show(delay, .taken("0 means matterbridge's default; `flood` has its own")) }
        let rate = Double(100_000_000 / max(1, milliseconds)) / 100_000
        put("flood", "{ burst = 1, lines_per_second = \(max(rate, 0.001)) }")
        show(delay, .taken("`flood`"))
    }

    // MARK: How messages read

    private mutating func text() {
        if let colors = settings["colornicks"] {
            if colors.truth == true { put("name_colors", "true") }
            show(colors, .taken("`name_colors`"))
        }
        if let format = settings["remotenickformat"], let text = format.text, !text.isEmpty {
            self.format(format, text)
        }
        guard let nicks = settings["ignorenicks"], let text = nicks.text, !nicks.isOff else { return }
        var (masks, left): ([String], Int) = ([], 0)
        for word in text.split(whereSeparator: \.isWhitespace) {
            if let mask = IgnoreTranslation.mask(String(word)), masks.count < 200 {
                if !masks.contains(mask) { masks.append(mask) }
            } else {
                left += 1
            }
        }
        if !masks.isEmpty { put("ignore", TOMLText.array(masks)) }
        let all = "`ignore`: as there, an expression counts wherever it is in the nick"
        if left > 0 {
            let rest = "\(left) of the expressions could not be written as POSIX extended ones and were left out"
            show(nicks, masks.isEmpty ? .none(rest) : .changed("\(all); \(rest)"))
        } else {
            show(nicks, .taken(all + ", and capitals do not matter"))
        }
    }

    private mutating func format(_ setting: Setting, _ text: String) {
        let translation = RelayFormatTranslation(text)
        if translation.isAntiPing { put("anti_ping", "true") }
        let dropped = translation.dropped.map { "`\($0)`" }.joined(separator: ", ")
        guard let format = translation.format else {
            return show(
                setting,
                .changed("left out: `format` has the name once and a sign behind it, in 100 bytes; the default is used")
            )
        }
        put("format", TOMLText.string(format))
        let key = translation.isAntiPing ? "`format` and `anti_ping`" : "`format`"
        show(
            setting, dropped.isEmpty ? .taken(key) : .changed("\(key); \(dropped) was left out, which it does not have")
        )
    }

    /// Nobody knows what an unknown key holds.
    private mutating func note(_ setting: Setting) {
        marks.append((setting, IRCNotes.mark(setting), IRCNotes.isKnown(setting.key)))
    }
}
