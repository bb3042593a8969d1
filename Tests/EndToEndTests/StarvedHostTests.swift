import Glibc
import JSONBytes
import Testing

/// Fault 13, with the real program: a server that gets no processor.
@Suite(.serialized) struct StarvedHostTests {
    /// Says `ready` only once it is told to, then writes down that it did.
    private static let program = """
        #!/usr/bin/env python3
        import json, os, sys, time

        def note(name):
            with open(name, "w"):
                pass

        for line in sys.stdin:
            message = json.loads(line)
            if message["type"] == "hello":
                note("asked")
                while not os.path.exists("go"):
                    time.sleep(0.01)
                print(json.dumps({"type": "ready", "protocol": 1, "name": "slow", "version": "1"}), flush=True)
                note("answered")
            elif message["type"] == "event":
                print(json.dumps({"type": "ack", "delivery": message["delivery"]}), flush=True)
            elif message["type"] == "ping":
                print(json.dumps({"type": "pong", "n": message["n"]}), flush=True)
            elif message["type"] == "drain":
                print(json.dumps({"type": "drained"}), flush=True)
                break
        """

    @Test("Fault 13: 'ready' in the pipe of a host that stood still for longer than its time is taken")
    func readyWasThere() throws {
        let folder = CommandLineFolder()
        folder.makeFolder("plugins.d")
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        folder.write("slow.py", Self.program)
        chmod(folder.file("slow.py"), 0o755)
        folder.write("plugins.d/slow.toml", "command = [\"../slow.py\"]\n")
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGCONT)
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        let data = "data/plugins/slow/"
        #expect(folder.poll { access(folder.file(data + "asked"), F_OK) == 0 })
        kill(server.pid, SIGSTOP)
        folder.write(data + "go", "")
        #expect(folder.poll { access(folder.file(data + "answered"), F_OK) == 0 })
        // The time itself is the fault: longer than the 10 s in which `ready` is due.
        sleep(11)
        kill(server.pid, SIGCONT)
        func plugin() -> JSON? {
            let listing = try? JSON(parsing: Array(folder.crowbar("plugins", "--json").output.utf8))
            return listing?.array?.first
        }
        #expect(folder.poll { plugin()?["state"]?.string == "live" })
        #expect(plugin()?["restarts"]?.int == 0)
    }
}
