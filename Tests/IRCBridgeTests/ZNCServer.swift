import CrowbarTesting
import Glibc
import Testing

/// A real ZNC on a free port of loopback, between the bridge and a server, in a folder of its own.
final class ZNCServer: Sendable {
    static let path = "/usr/bin/znc"
    /// What its clients have to give.
    static let password = "bridge/local:secret"
    /// The user that it runs as where the tests are root's: as root it waits for 30 s first.
    private static let nobody: UInt32 = 65_534
    let port: Int
    private let folder: TestFolder
    private let process: LineProcess

    /// Starts one.
    /// - Parameters:
    ///   - server: The port of the server that it connects to.
    ///   - modules: The modules that its user has.
    init(to server: Int, modules: [String] = []) async throws {
        try #require(access(Self.path, X_OK) == 0, "znc is missing: apt-get install znc")
        port = try LoopbackPort.free()
        folder = try TestFolder()
        let configs = folder.path + "/configs"
        try #require(mkdir(configs, 0o700) == 0)
        try TestFolder.write(
            """
            Version = 1.8.2
            ServerThrottle = 1
            ConnectDelay = 1
            <Listener l>
            Port = \(port)
            IPv4 = true
            IPv6 = false
            SSL = false
            AllowIRC = true
            AllowWeb = false
            Host = 127.0.0.1
            </Listener>
            <User bridge>
            Admin = true
            Nick = crowbar
            AltNick = crowbar_
            Ident = crowbar
            RealName = Crowbar
            Buffer = 500
            AutoClearChanBuffer = false
            \(modules.map { "LoadModule = \($0)" }.joined(separator: "\n"))
            <Network local>
            Server = 127.0.0.1 \(server)
            FloodRate = 1000
            FloodBurst = 1000
            JoinDelay = 0
            </Network>
            <Pass password>
            Method = plain
            Hash = secret
            </Pass>
            </User>

            """, configs + "/znc.conf")
        let arguments = ["--foreground", "--datadir", folder.path]
        if getuid() == 0 {
            for path in [folder.path, configs, configs + "/znc.conf"] {
                try #require(chown(path, Self.nobody, Self.nobody) == 0)
            }
            let ids = ["--reuid=\(Self.nobody)", "--regid=\(Self.nobody)", "--clear-groups"]
            process = try LineProcess("/usr/bin/setpriv", arguments: ids + [Self.path] + arguments)
        } else {
            process = try LineProcess(Self.path, arguments: arguments)
        }
        try await LoopbackPort.waitUntilOpen(port)
    }

    deinit {
        process.kill()
        for path in ["/configs/znc.conf", "/configs/.nofile"] { unlink(folder.path + path) }
        for path in ["/configs", "/moddata", "/users", "/modules"] { rmdir(folder.path + path) }
    }

    /// What the bridge's network has beside its port.
    static let more = #","server_password":"\#(password)""#
}
