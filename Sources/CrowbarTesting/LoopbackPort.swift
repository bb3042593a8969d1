import Glibc
import Synchronization

/// TCP ports of 127.0.0.1 for the servers of tests.
///
/// A port that the kernel chooses for a test and that the test then releases can go to any other process before the
/// test's server binds it, and again while the server restarts. Ports from this type are outside the range from which
/// the kernel chooses (`net.ipv4.ip_local_port_range`), and each process reserves whole blocks of them.
public enum LoopbackPort {
    /// What went wrong with a port.
    public struct Failure: Error, CustomStringConvertible {
        /// What went wrong, with the port.
        public var description: String
    }

    private static let range = 10_240..<32_768
    private static let blockSize = 64

    private struct Reservation {
        /// The ports that this process has reserved and not used yet.
        var ports: Range<Int> = 0..<0
        /// The block that is tried next, counted from `range`'s start.
        var nextBlock = Int(getpid())
    }

    private static let reservation = Mutex(Reservation())

    /// A port on which nobody listens and that no other call returns while this process runs.
    /// - Throws: ``Failure`` if no block is free.
    public static func free() throws -> Int {
        try reservation.withLock { reservation in
            while true {
                while let port = reservation.ports.popFirst() {
                    guard let descriptor = bound(port) else { continue }
                    close(descriptor)
                    return port
                }
                reservation.ports = try block(&reservation.nextBlock)
            }
        }
    }

    /// Reserves a block: its first port stays bound until this process ends.
    private static func block(_ next: inout Int) throws -> Range<Int> {
        let count = range.count / blockSize
        for _ in 0..<count {
            let first = range.lowerBound + next % count * blockSize
            next += 1
            if bound(first) != nil { return first + 1..<first + blockSize }
        }
        throw Failure(description: "all ports in \(range) are in use")
    }

    /// A socket that is bound to a port; nil if another one is.
    private static func bound(_ port: Int) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard withAddress(port, { bind(descriptor, $0, $1) }) == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    private static func withAddress<R>(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// Whether this machine has ::1.
    public static var hasIPv6: Bool {
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_addr = in6addr_loopback
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
            }
        }
    }

    /// Connects to a port.
    /// - Returns: The socket, which the caller closes; nil if nobody listens.
    public static func connect(_ port: Int) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard withAddress(port, { Glibc.connect(descriptor, $0, $1) }) == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    /// Waits until somebody listens on a port.
    /// - Throws: ``Failure`` if nobody does within the limit.
    public static func waitUntilOpen(_ port: Int, within limit: Duration = testDeadline) async throws {
        let deadline = ContinuousClock.now + limit
        while true {
            if let descriptor = connect(port) {
                close(descriptor)
                return
            }
            guard ContinuousClock.now < deadline else { throw Failure(description: "nobody listens on port \(port)") }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}

/// How long a test waits for something that must happen: far longer than it takes, also on a loaded machine. A test
/// that passes never waits so long.
public let testDeadline = Duration.seconds(180)
