import Glibc
import Testing

/// `crowbar events tail` where its reader is slow.
@Suite struct TailTests {
    /// Messages that are far more together than the server keeps for a follower.
    private static func commands(_ count: Int) -> String {
        let text = String(repeating: "x", count: 16_000)
        return (0..<count).map {
            #"{"type":"SEND_MESSAGE","channelId":"general","eventId":"e\#($0)","message":"\#(text)"}"#
        }.joined(separator: "\n")
    }

    @Test func aTailThatWasTooSlowGoesOnWhereItWas() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        folder.makeFolder("plugins.d")
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        #expect(folder.crowbar("user", "add", "ann").status == 0)
        let token = folder.crowbar("token", "ann").output.dropLast()
        folder.write("headers", "Authorization: Bearer \(token)\nContent-Type: application/x-ndjson\n")
        let tail = try #require(folder.start(["events", "tail"], "tail"))
        defer {
            kill(tail, SIGKILL)
            _ = CommandLineFolder.wait(tail)
        }
        func post(_ file: String) -> String {
            folder.shell(
                "curl -sS -H @headers --data-binary @\(file) http://127.0.0.1:\(server.port)/api/commands"
            ).output
        }
        // Its stream is open once it prints; it may miss the first messages.
        folder.write("first", #"{"type":"JOIN_CHANNEL","channelId":"general"}"#)
        #expect(post("first").contains("position"))
        folder.write("note", #"{"type":"SEND_MESSAGE","channelId":"general","message":"first"}"#)
        #expect(
            folder.poll {
                _ = post("note")
                return folder.read("tail.out").contains("first")
            })
        // It reads nothing while far more comes than may wait for it.
        kill(tail, SIGSTOP)
        let count = 900
        folder.write("many", Self.commands(count))
        #expect(!post("many").contains("error"))
        #expect(
            folder.poll {
                (folder.read("serve.out") + folder.read("serve.err"))
                    .contains("does not read its event stream fast enough")
            })
        kill(tail, SIGCONT)
        #expect(folder.poll { folder.read("tail.out").contains("\"eventId\":\"e\(count - 1)\"") })
        let ids = folder.read("tail.out").split(separator: "\n").compactMap { line -> String? in
            guard line.hasPrefix(#"{"eventId":"e"#) else { return nil }
            return line.dropFirst(12).split(separator: "\"").first.map(String.init)
        }
        #expect(ids.filter { $0.count < 6 } == (0..<count).map { "e\($0)" })
        // Where to go on once the server runs again.
        kill(server.pid, SIGTERM)
        #expect(
            folder.poll {
                folder.read("tail.err").contains("the server stopped; follow on with --after e\(count - 1)\n")
            },
            "\(folder.read("tail.err"))")
    }
}
