import CrowbarTesting
import Glibc
import Testing

/// A real InspIRCd 3 on a free port of loopback, with what it has of IRCv3, in a folder of its own.
final class InspServer: Sendable {
    static let path = "/usr/sbin/inspircd"
    let port: Int
    private let folder: TestFolder
    private let process: LineProcess

    /// - Parameters:
    ///   - more: More of its configuration.
    ///   - name: Its name, which others of its network know it by.
    ///   - id: Its number in the network.
    init(_ more: String = "", name: String = "irc.test.local", id: String = "001") async throws {
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
            <server name="\(name)" id="\(id)" description="Test" network="Test">
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

    /// What lets it link with another one.
    /// - Parameters:
    ///   - other: The other's name.
    ///   - port: Where the other listens for servers; nil: this one listens itself.
    ///   - own: Where this one listens for servers.
    static func link(_ other: String, at port: Int? = nil, own: Int? = nil) -> String {
        """
        <module name="spanningtree">
        <security hideserver="">
        \(own.map { "<bind address=\"127.0.0.1\" port=\"\($0)\" type=\"servers\">" } ?? "")
        <link name="\(other)" ipaddr="127.0.0.1" port="\(port ?? 1)" allowmask="127.0.0.0/8" sendpass="p" recvpass="p">
        \(port == nil ? "" : "<autoconnect period=\"1s\" server=\"\(other)\">")
        """
    }

    /// Ends it as a crash does.
    func kill() async throws {
        process.kill(SIGKILL)
        _ = try await process.end()
    }
}
