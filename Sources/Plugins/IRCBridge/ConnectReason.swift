import Glibc
import NIOCore
import NIOPosix
import NIOSOCKS

/// Why a connection did not come about, in the operator's words.
enum ConnectReason {
    /// Of an error before the connection stands.
    static func text(_ error: any Error, _ route: Route) -> String {
        let inner = (error as? NIOConnectionError)?.connectionErrors.first?.error ?? error
        if let source = route.source?.ipAddress, let error = inner as? IOError, error.errnoCode == EADDRNOTAVAIL {
            return "this machine has no address \(source) to connect from (bind)"
        }
        let whither = route.proxy.map { "the proxy \($0.host):\($0.port): " } ?? ""
        return "cannot connect: " + whither + text(error)
    }

    private static func text(_ error: any Error) -> String {
        guard let error = error as? NIOConnectionError else { return "\(error)" }
        if let first = error.connectionErrors.first?.error {
            return (first as? IOError).map { "\(error.host):\(error.port): " + String(cString: strerror($0.errnoCode)) }
                ?? "\(first)"
        }
        if let dns = error.dnsAError ?? error.dnsAAAAError { return "\(error.host) is not known: \(dns)" }
        return "no answer from \(error.host):\(error.port)"
    }

    /// Of a connection that stands, on which nobody answers.
    /// - Parameter proxy: The proxy, where it has not reached the server yet.
    static func silence(_ limit: TimeAmount, _ host: String, _ port: Int, proxy: Route.Proxy?) -> String {
        let seconds = limit.nanoseconds / 1_000_000_000
        if let proxy { return "the proxy \(proxy.host):\(proxy.port) does not answer" }
        return "no TLS with '\(host)': it did not answer for \(seconds) s; is \(port) its port for TLS?"
    }

    /// Of an error of the connection that stands.
    static func text(inChannel error: any Error) -> String {
        switch error {
        case let error as SOCKSError.ConnectionFailed: "the proxy did not reach the server: \(reply(error.reply))"
        case is SOCKSError.InvalidAuthenticationSelection, is SOCKSError.NoValidAuthenticationMethod:
            "the proxy wants a password, which is not supported"
        case is SOCKSError.InvalidProtocolVersion, is SOCKSError.InvalidReservedByte, is SOCKSError.InvalidAddressType,
            is SOCKSError.InvalidServerState, is SOCKSError.UnexpectedRead:
            "the proxy does not speak SOCKS5"
        default: "\(error)"
        }
    }

    /// RFC 1928, 6.
    private static func reply(_ reply: SOCKSServerReply) -> String {
        switch reply {
        case .notAllowed: "it is not allowed to"
        case .networkUnreachable: "the network is unreachable"
        case .hostUnreachable: "the host is unreachable, or not known"
        case .refused: "the connection was refused"
        case .ttlExpired: "it took too long"
        case .addressUnsupported: "it does not know such addresses"
        default: "it failed (reply \(reply.value))"
        }
    }
}
