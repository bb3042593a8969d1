import Glibc
import NIOCore
import NIOPosix
import NIOSOCKS
import OpenSSL

/// Why a connection did not come about, in the operator's words.
enum ConnectReason {
    /// Of an error before the connection stands.
    static func text(_ error: any Error, _ route: Route) -> String {
        let inner = (error as? NIOConnectionError)?.connectionErrors.first?.error ?? error
        if let source = route.source?.ipAddress, let error = inner as? IOError, error.errnoCode == EADDRNOTAVAIL {
            return "this machine has no address \(source) to connect from (bind)"
        }
        if let source = route.source?.ipAddress, let error = inner as? IOError, error.errnoCode == EAFNOSUPPORT {
            return "cannot connect from \(source) (bind): it and the server's address are not of one kind (IPv4, IPv6)"
        }
        let whither = route.proxy.map { "the proxy \($0.host):\($0.port): " } ?? ""
        return "cannot connect: " + whither + text(error)
    }

    private static func text(_ error: any Error) -> String {
        guard let error = error as? NIOConnectionError else {
            if let name = error as? SocketAddressError.UnknownHost { return unknown(name.host, name.errorCode) }
            return (error as? IOError).map { words($0.errnoCode) } ?? "\(error)"
        }
        if let first = error.connectionErrors.first?.error {
            return (first as? IOError).map { "\(error.host):\(error.port): " + words($0.errnoCode) } ?? "\(first)"
        }
        if let dns = error.dnsAError ?? error.dnsAAAAError {
            return unknown(error.host, (dns as? SocketAddressError.UnknownHost)?.errorCode)
        }
        return "no answer from \(error.host):\(error.port)"
    }

    /// A name without an address, by the error numbers of getaddrinfo(3).
    static func unknown(_ host: String, _ code: Int?) -> String {
        guard let code, code != Int(EAI_NONAME), code != noData else {
            return "the name \(host) is not known; check host, and this machine's DNS"
        }
        let words = gai_strerror(Int32(code)).map { String(cString: $0) } ?? "error \(code)"
        return "the name \(host) cannot be looked up now: \(words); check this machine's DNS (/etc/resolv.conf)"
    }

    /// EAI_NODATA of glibc: there is such a name, and it has no address.
    private static let noData = -5

    /// A failed call of the system: what it means, and what to do where somebody here can do something.
    static func words(_ code: Int32) -> String {
        let meaning = String(cString: strerror(code))
        return switch code {
        case ECONNREFUSED: "\(meaning) (nothing listens there; check host and port)"
        case ETIMEDOUT: "\(meaning) (no answer; check host and port, and firewalls on the way)"
        case ENETUNREACH, EHOSTUNREACH: "\(meaning) (check this machine's network)"
        case EACCES, EPERM: "\(meaning) (a firewall of this machine, or the manifest's [sandbox] network)"
        case EMFILE, ENFILE: "\(meaning) (raise the limit: [limits] files of the manifest, or ulimit -n)"
        case ECONNRESET, EPIPE: "\(meaning) (the other side ended it without a word)"
        default: meaning
        }
    }

    /// Of a connection that stands, on which nobody answers.
    /// - Parameter proxy: The proxy, where it has not reached the server yet.
    static func silence(_ limit: TimeAmount, _ host: String, _ port: Int, proxy: Route.Proxy?) -> String {
        let seconds = limit.nanoseconds / 1_000_000_000
        if let proxy { return "the proxy \(proxy.host):\(proxy.port) does not answer" }
        return "no TLS with '\(host)': it did not answer for \(seconds) s; is \(port) its port for TLS?"
    }

    /// Of an error of the connection that stands.
    /// - Parameter trust: Whom the connection trusts; nil without TLS.
    static func text(inChannel error: any Error, _ trust: TLSOptions? = nil) -> String {
        switch error {
        case TLSError.untrusted(let host, let code, let reason) where (18...21).contains(code):
            // Nobody that is trusted has signed it (X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT to …_UNABLE_TO_VERIFY_LEAF).
            untrusted(host, code, reason, caFile: trust?.caFile)
        case let error as SOCKSError.ConnectionFailed: "the proxy did not reach the server: \(reply(error.reply))"
        case is SOCKSError.InvalidAuthenticationSelection, is SOCKSError.NoValidAuthenticationMethod:
            "the proxy wants a password, which is not supported"
        case is SOCKSError.InvalidProtocolVersion, is SOCKSError.InvalidReservedByte, is SOCKSError.InvalidAddressType,
            is SOCKSError.InvalidServerState, is SOCKSError.UnexpectedRead:
            "the proxy does not speak SOCKS5"
        case let error as IOError: "the connection broke: \(words(error.errnoCode))"
        default: "\(error)"
        }
    }

    /// A certificate that no trusted authority has signed: which authorities were asked, and what to do.
    private static func untrusted(_ host: String, _ code: Int, _ reason: String, caFile: String?) -> String {
        let begin = "the certificate of '\(host)' is not trusted: \(reason)"
        // Short: the status has 300 bytes, which should include what to do.
        guard let caFile else {
            let who = code == 18 ? "nobody but itself" : "no authority that this machine trusts"
            let what = code == 18 ? "that certificate" : "the file of the one that has"
            return "\(begin); \(who) has signed it: set ca_file to \(what), or pin to its fingerprint"
        }
        return
            "\(begin); no authority in ca_file has signed it: give the file of the one that has, remove ca_file if it "
            + "is a public one, or set pin (ca_file is '\(caFile)')"
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
