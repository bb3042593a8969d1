import Glibc
import Testing

@testable import HTTPClient

/// Requests of the server, and where they may go.
@Suite struct RequesterTests {
    private static let (bodyLimit, timeout): (Int, Int64) = (1024, 20_000)

    /// A socket that listens and never answers.
    private final class SilentListener: Sendable {
        let descriptor: Int32
        let port: UInt16

        init() {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let descriptor = descriptor
            withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = bind(descriptor, $0, size)
                    listen(descriptor, 8)
                    getsockname(descriptor, $0, &size)
                }
            }
            port = UInt16(bigEndian: address.sin_port)
        }

        deinit { close(descriptor) }
    }

    private func call(_ port: UInt16, _ addresses: AddressFilter?) throws -> Call {
        var call = Call(
            request: SigV4.Request(method: "GET", path: "/", headers: []),
            endpoint: try #require(ServiceEndpoint("http://127.0.0.1:\(port)")), region: "", service: nil,
            timeout: Self.timeout, answerLimit: Self.bodyLimit)
        call.addresses = addresses
        return call
    }

    @Test func anAddressThatIsNotAllowedIsNotConnectedTo() async throws {
        let listener = SilentListener()
        let requester = try #require(HTTPRequester(userAgent: "test/1"))
        let call = try call(listener.port, .endpoint(isNamed: false))
        guard case .failed("denied", let message) = await requester.send(call, call.lines(nil, at: 0)) else {
            Issue.record("not denied")
            return
        }
        #expect(message == "127.0.0.1:\(listener.port) has an address that is not allowed")
        // Nobody has knocked.
        _ = fcntl(listener.descriptor, F_SETFL, O_NONBLOCK)
        #expect(accept(listener.descriptor, nil, nil) == -1 && errno == EAGAIN)
    }

    @Test func aRequestIsGivenUpWithItsTask() async throws {
        let listener = SilentListener()
        let requester = try #require(HTTPRequester(userAgent: "test/1"))
        let call = try call(listener.port, .endpoint(isNamed: true))
        let ended = await withTaskGroup(of: Outcome.self) { group in
            group.addTask { await requester.send(call, call.lines(nil, at: 0)) }
            // It is under way once somebody has knocked.
            let accepted = accept(listener.descriptor, nil, nil)
            defer { close(accepted) }
            #expect(accepted >= 0)
            group.cancelAll()
            return await group.next()
        }
        #expect(ended == .failed(code: "cancelled", message: "the request was given up"))
        // The next one finds the thread free.
        let denied = try self.call(listener.port, AddressFilter(leave: .none))
        guard case .failed("denied", _) = await requester.send(denied, denied.lines(nil, at: 0)) else {
            Issue.record("not denied")
            return
        }
    }

    @Test(arguments: [
        ("127.0.0.1", false, true), ("::1", false, true), ("10.1.2.3", true, true), ("192.168.0.1", true, true),
        ("fd12::1", true, true), ("8.8.8.8", true, true), ("169.254.169.254", false, false),
        ("::ffff:169.254.169.254", false, false), ("fe80::1", false, false), ("168.63.129.16", false, false),
        ("0.0.0.0", false, false), ("224.0.0.1", false, false),
    ]) func theRuleForAnEndpointOfTheConfiguration(_ text: String, isAllowed: Bool, isAllowedIfNamed: Bool) throws {
        let address = try #require(IPAddress(text))
        #expect(AddressFilter.endpoint(isNamed: false).allows(address) == isAllowed)
        #expect(AddressFilter.endpoint(isNamed: true).allows(address) == isAllowedIfNamed)
    }

    @Test func theHostOfAnEndpoint() {
        for (text, host) in [
            ("http://a.example:9000", "a.example"), ("https://a.example", "a.example"), ("http://[::1]:5", "[::1]"),
            ("http://[::1]", "[::1]"), ("http://127.0.0.1:5000/", "127.0.0.1"),
        ] { #expect(ServiceEndpoint(text)?.host == host) }
    }
}
