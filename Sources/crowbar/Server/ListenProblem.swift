import Glibc
import NIOCore

/// Why an address cannot be listened on, in words that say what to do. One table for the server and for `crowbar
/// check`.
enum ListenProblem {
    /// The longest path of a Unix socket that the system takes, in bytes (`sun_path` without its end).
    static let maxSocketPath = 107

    /// The setting of the API's address, as errors name it.
    static let httpSetting = "[http] listen (or CROWBAR_HTTP_LISTEN)"
    /// The setting of the metrics' address, as errors name it.
    static let metricsSetting = "[metrics] listen (or \(MetricsSettings.variable))"

    /// The problem of an `errno`.
    /// - Parameters:
    ///   - address: As configured: `HOST:PORT`, or the path of a Unix socket.
    ///   - setting: The setting of a `HOST:PORT`.
    static func text(_ address: String, errno code: Int32, setting: String = httpSetting) -> String {
        let another = "set \(setting) to another address"
        if address.hasPrefix("/") || address.hasSuffix(ControlFiles.socket) {
            return socketText(address, errno: code)
        }
        return switch code {
        case EADDRINUSE: "\(address) is in use; end what listens there, or \(another)"
        case EACCES, EPERM:
            "\(address) may not be listened on by this user; take a port from 1024 on, or give the program the right "
                + "to lower ports (AmbientCapabilities=CAP_NET_BIND_SERVICE in a systemd unit)"
        case EADDRNOTAVAIL:
            "\(address) is no address of this machine; take one that 'ip address' lists, 127.0.0.1 for this machine "
                + "alone, or 0.0.0.0 for every address"
        case EAFNOSUPPORT, EPROTONOSUPPORT:
            "\(address) is of a kind that this machine does not have (IPv6 may be switched off); \(another)"
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
            "\(address) cannot be listened on: \(words(code)); raise the limit of this process or free some memory"
        default: "\(address) cannot be listened on: \(words(code)); \(another)"
        }
    }

    private static func socketText(_ path: String, errno code: Int32) -> String {
        let another = "set data (or CROWBAR_DATA) to another folder"
        return switch code {
        case ENAMETOOLONG:
            "the path of the control socket is \(path.utf8.count) bytes long: \(path); the system takes "
                + "\(maxSocketPath) at most; \(another) whose path is shorter, or start the server in it and say "
                + "data = \".\""
        case EACCES, EPERM, EROFS:
            "the control socket \(path) cannot be made: \(words(code)); give user \(geteuid()) the data folder (chown, "
                + "chmod), or \(another)"
        case EADDRINUSE: "the control socket \(path) is in use; end the server that listens there, or \(another)"
        case ENOENT, ENOTDIR: "the control socket \(path) cannot be made: there is no such folder; \(another)"
        case ENOSPC, EDQUOT: "the control socket \(path) cannot be made: disk full; free some space"
        default: "the control socket \(path) cannot be made: \(words(code)); \(another)"
        }
    }

    /// The problem of what NIO threw when it was to listen.
    static func text(_ address: String, _ error: any Error, setting: String = httpSetting) -> String {
        switch error {
        case let error as IOError: text(address, errno: error.errnoCode, setting: setting)
        case SocketAddressError.unixDomainSocketPathTooLong: text(address, errno: ENAMETOOLONG)
        case let error as SocketAddressError.UnknownHost: unknownHost(address, error.host)
        default: "\(address) cannot be listened on: \(error)"
        }
    }

    /// The problem that a probe found.
    static func text(
        _ address: ListenAddress, _ problem: ListenProbe.Problem, setting: String = httpSetting
    ) -> String {
        switch problem {
        case .unknownHost: unknownHost("\(address)", address.host)
        case .failed(let code): text("\(address)", errno: code, setting: setting)
        }
    }

    /// The problem of a name that stands for no address.
    static func unknownHost(_ address: String, _ host: String) -> String {
        "\(address) cannot be listened on: '\(host)' stands for no address; write an address, such as 127.0.0.1, or "
            + "add the name to /etc/hosts"
    }

    private static func words(_ code: Int32) -> String { String(cString: strerror(code)) }
}
