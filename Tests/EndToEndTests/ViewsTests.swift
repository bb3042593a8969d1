import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// Views, search and read markers of the real server, and after a restart.
@Suite(.serialized) struct ViewsTests {
    private static let toml = "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n"

    private struct Answer {
        var status: String
        var body: String
        var json: JSON? { try? JSON(parsing: Array(body.utf8)) }
    }

    /// Makes a call with curl.
    private func call(
        _ folder: CommandLineFolder, _ port: String, _ token: String, _ path: String, body: String? = nil
    ) -> Answer {
        let outcome = folder.program(
            [
                "/usr/bin/curl", "-sS", "--max-time", "20", "-H", "Authorization: Bearer \(token)", "-w",
                "\n%{http_code}", "http://127.0.0.1:\(port)\(path)",
            ] + (body.map { ["--data-binary", $0] } ?? []))
        var lines = outcome.output.split(separator: "\n").map(String.init)
        let status = lines.popLast() ?? outcome.error
        return Answer(status: status, body: lines.joined(separator: "\n"))
    }

    private func token(_ folder: CommandLineFolder, _ user: String) -> String {
        #expect(folder.verb(["user", "add", user]).status == 0)
        return String(folder.crowbar("token", user).output.dropLast())
    }

    @Test func twoPeopleReadSearchAndComeBackAfterARestart() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        folder.makeFolder("plugins.d")
        var server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        let (ann, bob) = (token(folder, "ann"), token(folder, "bob"))
        func send(_ token: String, _ json: String) {
            let answer = call(folder, server.port, token, "/api/commands", body: json)
            #expect(answer.status == "200", "\(json): \(answer.body)")
        }
        func get(_ token: String, _ path: String, after event: String) -> Answer {
            let separator = path.contains("?") ? "&" : "?"
            return call(folder, server.port, token, "/views/\(path)\(separator)min=\(event)&wait=10s")
        }
        send(ann, #"{"type":"CREATE_CHANNEL","channelId":"board","channelName":"Board","private":true}"#)
        send(ann, #"{"type":"INVITE_USER","channelId":"board","invitee":"bob"}"#)
        send(ann, #"{"type":"SEND_MESSAGE","channelId":"board","message":"before bob","eventId":"m0"}"#)
        #expect(get(bob, "messages/board.json", after: "m0").status == "404")
        #expect(get(bob, "allchannels.json", after: "m0").body == "[]")
        send(bob, #"{"type":"JOIN_CHANNEL","channelId":"board"}"#)
        send(ann, #"{"type":"SEND_MESSAGE","channelId":"board","message":"a secret for @bob","eventId":"m1"}"#)
        send(ann, #"{"type":"SEND_MESSAGE","channelId":"board","message":"a seecret typo","eventId":"m2"}"#)
        send(bob, #"{"type":"ADD_REACTION","channelId":"board","messageId":"m1","reaction":"👍","eventId":"r1"}"#)
        send(
            ann,
            #"{"type":"EDIT_MESSAGE","channelId":"board","messageId":"m2","message":"a secret too","eventId":"x2"}"#)

        func look() {
            let messages = get(bob, "messages/board.json", after: "x2")
            let page = messages.json?["messages"]?.array ?? []
            #expect(page.compactMap { $0["text"]?.string } == ["before bob", "a secret for @bob", "a secret too"])
            #expect(messages.body.contains(#""reactions":[{"reaction":"👍","count":1,"users":["bob"],"mine":true}]"#))
            #expect(messages.body.contains(#""mentions":["bob"]"#))
            func found() -> [String] {
                let hits = get(bob, "search.json?q=secret", after: "x2").json?["hits"]?.array ?? []
                return hits.compactMap { $0["messageId"]?.string }
            }
            // A search that the machine holds up for 40 ms ends with what it has.
            #expect(folder.poll { found() == ["m2", "m1"] })
            let channels = get(bob, "allchannels.json", after: "x2")
            #expect(
                channels.body
                    == #"[{"id":"board","name":"Board","users":2,"private":true,"member":true}]"#, "\(channels.body)")
        }
        func unread() -> String {
            let board = get(bob, "unread.json", after: "x2").json?["board"]
            return "\(board?["unread"]?.int ?? -1) \(board?["mentions"]?.int ?? -1) \(board?["last"]?.string ?? "")"
        }
        look()
        #expect(unread() == "2 1 m2")
        let read = call(folder, server.port, bob, "/api/read", body: #"{"channelId":"board","eventId":"m1"}"#)
        #expect(read.status == "204", "\(read.body)")
        #expect(unread() == "1 0 m2")

        // The same after a restart, and once more from the log alone.
        for script in ["true", "rm d/views.db*"] {
            kill(server.pid, SIGTERM)
            #expect(CommandLineFolder.wait(server.pid) == 0)
            #expect(!folder.read("serve.err").contains("error"), "\(folder.read("serve.err"))")
            #expect(folder.shell(script).status == 0)
            server = try #require(folder.serve())
            look()
            #expect(unread() == "1 0 m2")
        }
        send(ann, #"{"type":"REMOVE_USER","channelId":"board","member":"bob","eventId":"end"}"#)
        #expect(get(bob, "messages/board.json", after: "end").status == "404")
        #expect(get(bob, "search.json?q=secret", after: "end").body == #"{"hits":[]}"#)
        #expect(get(bob, "unread.json", after: "end").body == "{}")
        #expect(get(ann, "messages/board.json", after: "end").body.contains("a secret too"))
    }
}
