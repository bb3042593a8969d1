import CrowbarTesting
import Glibc
import Testing

/// A real InspIRCd 3 on a free port of loopback, with what it has of IRCv3, in a folder of its own.
final class InspServer: Sendable {
    static let path = "/usr/sbin/inspircd"
    let port: Int
    private let folder: TestFolder
    private let process: LineProcess

    /// - Parameter more: More of its configuration.
    init(_ more: String = "") async throws {
        try #require(access(Self.path, X_OK) == 0, "inspircd is missing: apt-get install inspircd")
        port = try LoopbackPort.free()
        folder = try TestFolder()
        let modules = [
            "cap", "ircv3", "ircv3_accounttag", "ircv3_batch", "ircv3_capnotify", "ircv3_chghost", "ircv3_ctctags",
            "ircv3_echomessage", "ircv3_labeledresponse", "ircv3_msgid", "ircv3_servertime", "namesx", "uhnames",
        ]
        let file = folder.path + "/inspircd.conf"
        try TestFolder.write(
            """
            <server name="irc.test.local" description="Test" network="Test">
            <admin name="a" email="a@test.local" nick="a">
            <bind address="127.0.0.1" port="\(port)" type="clients">
            <connect allow="*" timeout="60" threshold="100000" commandrate="1000000" fakelag="no" recvq="1M"
                softsendq="1M" localmax="100" globalmax="100" resolvehostnames="no">
            <dns timeout="1">
            <options defaultmodes="not" allowhalfop="no">
            \(modules.map { "<module name=\"\($0)\">" }.joined(separator: "\n"))
            \(more)

            """, file)
        process = try LineProcess(
            Self.path,
            arguments: ["--nofork", "--nopid", "--nolog", "--config", file] + (getuid() == 0 ? ["--runasroot"] : []))
        try await LoopbackPort.waitUntilOpen(port)
    }
}
