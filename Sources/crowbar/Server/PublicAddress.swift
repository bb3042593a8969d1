import CrowbarHTTP
import Synchronization

/// Under which address people reach this server, for the links that it makes.
final class PublicAddress: Sendable {
    private let hosts: [String]
    private let isBehindProxy: Bool
    private let listen: ListenAddress
    private let port = Mutex<Int?>(nil)

    init(_ configuration: Configuration) {
        hosts = configuration.http.hosts
        listen = configuration.listen
        isBehindProxy =
            ["127.0.0.1", "::1", "localhost"].contains(listen.host) || configuration.http.trustedProxies != .none
    }

    /// Notes the port, which the system chooses where the configuration has 0.
    func note(port new: Int) { port.withLock { $0 = new } }

    /// The address without a path, as `https://chat.example.org`: the first of `[http] hosts`, else where the server
    /// listens. A listed host is reached by https where a proxy stands in front of the server.
    var base: String {
        let port = port.withLock { $0 } ?? listen.port
        if let host = hosts.first(where: { $0 != "localhost" }) {
            return isBehindProxy ? "https://\(host)" : "http://\(host):\(port)"
        }
        let host = ["0.0.0.0", "::"].contains(listen.host) ? "localhost" : listen.host
        return "http://\(ListenAddress(host: host, port: port))"
    }

    /// A link to a screen of the page. The token is behind the `#`, which browsers send to no server.
    func link(_ screen: String, token: String) -> String { "\(base)/#/\(screen)/\(token)" }
}
