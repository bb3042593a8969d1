import Glibc
import JSONBytes
import Testing

/// Few file descriptors, with the real program: the log, the plugins and the command line keep theirs.
@Suite(.serialized) struct DescriptorTests {
    /// Writes down the limit of open files that it was started with.
    private static let program = """
        #!/usr/bin/env python3
        import json, resource, sys

        with open("limit", "w") as file:
            file.write("%d %d" % resource.getrlimit(resource.RLIMIT_NOFILE))
        for line in sys.stdin:
            message = json.loads(line)
            if message["type"] == "hello":
                print(json.dumps({"type": "ready", "protocol": 1, "name": "p", "version": "1"}), flush=True)
            elif message["type"] == "event":
                print(json.dumps({"type": "ack", "delivery": message["delivery"]}), flush=True)
            elif message["type"] == "ping":
                print(json.dumps({"type": "pong", "n": message["n"]}), flush=True)
            elif message["type"] == "drain":
                print(json.dumps({"type": "drained"}), flush=True)
                break
        """

    private static func folder() -> CommandLineFolder {
        let folder = CommandLineFolder()
        folder.makeFolder("plugins.d")
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        folder.write("plugin.py", program)
        chmod(folder.file("plugin.py"), 0o755)
        folder.write("plugins.d/p.toml", "command = [\"../plugin.py\"]\n")
        return folder
    }

    private static func serve(_ folder: CommandLineFolder, openFiles: String) throws -> (pid: pid_t, port: String) {
        try #require(folder.serve(by: ["/usr/bin/prlimit", "--nofile=\(openFiles)"]))
    }

    private static func stop(_ pid: pid_t) {
        kill(pid, SIGKILL)
        _ = CommandLineFolder.wait(pid)
    }

    private static func plugin(_ folder: CommandLineFolder) -> JSON? {
        (try? JSON(parsing: Array(folder.crowbar("plugins", "--json").output.utf8)))?.array?.first
    }

    private static func isLive(_ folder: CommandLineFolder, except pid: Int64 = 0) -> Bool {
        let shown = plugin(folder)
        return shown?["state"]?.string == "live" && shown?["pid"]?.int != pid
    }

    /// A connection, or -1.
    private static func connect(_ port: String) -> Int32 {
        let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = (UInt16(port) ?? 0).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(file, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status != 0 else { return file }
        close(file)
        return -1
    }

    /// What a request is answered with, within 20 seconds.
    private static func answer(_ port: String, _ path: String) -> String {
        let file = connect(port)
        guard file >= 0 else { return "no connection" }
        defer { close(file) }
        var time = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        let request = "GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        send(file, request, request.utf8.count, Int32(MSG_NOSIGNAL))
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = recv(file, &bytes, bytes.count, 0)
        return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
    }

    @Test func idleConnectionsLeaveDescriptorsForTheRest() throws {
        let folder = Self.folder()
        let server = try Self.serve(folder, openFiles: "256:256")
        defer { Self.stop(server.pid) }
        #expect(folder.poll { Self.isLive(folder) })
        let pid = Self.plugin(folder)?["pid"]?.int ?? 0
        let idle = (0..<500).map { _ in Self.connect(server.port) }
        defer { for file in idle where file >= 0 { close(file) } }
        #expect(idle.filter { $0 >= 0 }.count > 200)
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        #expect(folder.crowbar("send", "general", "hello").status == 0)
        #expect(Self.answer(server.port, "/readyz").hasPrefix("HTTP/1.1 200"))
        #expect(folder.crowbar("plugins", "restart", "p").status == 0)
        #expect(folder.poll { Self.isLive(folder, except: pid) })
        let log = folder.read("serve.err")
        #expect(log.contains("the limit is 256") && log.contains("HTTP connections are in use"), "\(log)")
    }

    @Test func theServerRaisesItsLimitAndPluginsKeepTheOldOne() throws {
        let folder = Self.folder()
        let server = try Self.serve(folder, openFiles: "300:2000")
        defer { Self.stop(server.pid) }
        #expect(folder.poll { Self.isLive(folder) })
        let limits = CommandLineFolder.text(of: "/proc/\(server.pid)/limits").split(separator: "\n")
        let files = limits.first { $0.hasPrefix("Max open files") }?.split(separator: " ").filter { Int($0) != nil }
        #expect(files == ["2000", "2000"])
        #expect(folder.read("data/plugins/p/limit") == "300 2000")
    }

    @Test func aPluginThatCannotBeStartedForWantOfDescriptorsIsTriedAgain() throws {
        let folder = Self.folder()
        let server = try Self.serve(folder, openFiles: "256:256")
        defer { Self.stop(server.pid) }
        #expect(folder.poll { Self.isLive(folder) })
        let pid = try #require(Self.plugin(folder)?["pid"]?.int)
        #expect(folder.setLimit(of: server.pid, "--nofile=8:") == 0)
        kill(pid_t(pid), SIGKILL)
        // More often than crashes may come before a plugin stays down.
        let isTriedAgain = folder.poll {
            folder.read("serve.err").split(separator: "\n").filter { $0.contains("Too many open files") }.count >= 6
        }
        #expect(isTriedAgain, "\(folder.read("serve.err"))")
        #expect(folder.setLimit(of: server.pid, "--nofile=256:") == 0)
        #expect(folder.poll { Self.isLive(folder, except: pid) }, "\(folder.read("serve.err"))")
        #expect(!folder.read("serve.err").contains("stays down"))
    }
}
