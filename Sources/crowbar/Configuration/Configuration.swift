import CrowbarHTTP
import CrowbarViews
import Identity
import OpenID
import PluginHost
import Settings

/// What `crowbar.toml` and the environment say.
struct Configuration: Sendable, Equatable {
    /// The file that was read, or would be where it were there.
    var file: String
    /// The folder of the log, the accounts, the plugins' data.
    var data: String
    /// The folder of the plugins' manifests.
    var plugins: String
    /// Whether that is another folder than the default one: then it has to be there.
    var isPluginFolderNamed = false
    /// Where the API listens.
    var listen: ListenAddress
    /// Who may be asked as what, and who says where callers are.
    var http: HTTPRules
    /// Whether events may be read without a token.
    var anonymousRead: Bool
    /// Who may register, and whether people sign in by password.
    var auth = SignInPolicy()
    /// The OpenID provider by which people sign in.
    var openID: OpenIDSettings?
    /// The users that plugins run as, where the server is root.
    var pluginUsers = PluginUserPolicy.automatic
    /// Whether plugins run where the data folder cannot be kept from them.
    var exposeData = false
    /// How the server logs.
    var log = LogSettings.Values()
    /// How long the log keeps the texts of deleted messages.
    var keepDeleted = KeepDeleted.standard
    /// How often machine tokens may call.
    var limits = MachineTokenRates()
    /// Where metrics are given out without a token.
    var metrics = MetricsSettings()
    /// Where views are copied to.
    var publish: [PublishTarget] = []
}

/// Whether plugins run as users of their own.
enum PluginUserPolicy: Sendable, Equatable {
    /// They do where nothing speaks against it.
    case automatic
    /// They do, with these numbers, or do not run.
    case range(ClosedRange<UInt32>)
    /// They run as the server's user.
    case off

    /// Reads `auto`, `off` or `61184-65519`.
    init?(_ text: String) {
        switch text {
        case "auto": self = .automatic
        case "off": self = .off
        default:
            guard let range = PluginUsers.range(text) else { return nil }
            self = .range(range)
        }
    }
}

/// A host and a port.
struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    var host: String
    var port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `127.0.0.1:8080`, `localhost:8080` or `[::1]:8080`.
    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        if host.isEmpty || host.utf8.contains(where: { $0 <= 0x20 }) { return nil }
        self.init(host: String(host), port: port)
    }

    var description: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}
