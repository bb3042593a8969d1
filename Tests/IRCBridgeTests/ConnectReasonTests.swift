import Glibc
import JSONBytes
import NIOCore
import NIOPosix
import Testing

@testable import IRCBridge

/// Why a connection does not come about, in words.
@Suite struct ConnectReasonTests {
    @Test(
        arguments: [
            (nil, "the name a.example is not known; check host, and this machine's DNS"),
            (EAI_NONAME, "the name a.example is not known; check host, and this machine's DNS"),
            (-5, "the name a.example is not known; check host, and this machine's DNS"),
            (
                EAI_AGAIN,
                "the name a.example cannot be looked up now: Temporary failure in name resolution; check this "
                    + "machine's DNS (/etc/resolv.conf)"
            ),
        ] as [(Int32?, String)])
    func aNameWithoutAnAddress(code: Int32?, text: String) {
        #expect(ConnectReason.unknown("a.example", code.map(Int.init)) == text)
    }

    @Test func noNameOfATypeReachesTheOperator() async throws {
        let error = await #expect(throws: (any Error).self) {
            _ = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "no-such-host.invalid", port: 6667).get()
        }
        let text = ConnectReason.text(
            try #require(error), try Route(ConfigSection(.object([]), path: "", known: [])))
        #expect(text.hasPrefix("cannot connect: the name no-such-host.invalid "), "\(text)")
        #expect(!text.contains("SocketAddressError"), "\(text)")
    }
}
