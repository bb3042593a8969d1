import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// Private channels by the command line and the real server.
@Suite(.serialized) struct PrivateChannelTests {
    private static let toml = "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n"

    private func get(_ port: String, _ token: String, _ query: String) async throws -> [String] {
        let curl = try LineProcess(
            "/usr/bin/curl",
            arguments: [
                "-sS", "--max-time", "20", "-H", "Authorization: Bearer \(token)", "-w", "%{http_code}\n",
                "http://127.0.0.1:\(port)/api/events\(query)",
            ])
        var lines: [String] = []
        while true {
            let line = try await curl.first("a line", within: testDeadline) { String(decoding: $0, as: UTF8.self) }
            lines.append(line)
            if line.count == 3 { return lines }
        }
    }

    private func token(_ folder: CommandLineFolder, _ user: String, _ flags: String...) -> String {
        #expect(folder.verb(["user", "add", user] + flags).status == 0)
        return String(folder.crowbar("token", user).output.dropLast())
    }

    /// A server on which ann has a private channel with a secret in it, and the tokens of ann and bob.
    private func board(_ folder: CommandLineFolder) throws -> (port: String, pid: pid_t, ann: String, bob: String) {
        folder.write("crowbar.toml", Self.toml)
        let server = try #require(folder.serve())
        let (ann, bob) = (token(folder, "ann"), token(folder, "bob"))
        #expect(folder.crowbar("channel", "add", "board", "--private", "--as", "ann").status == 0)
        #expect(folder.crowbar("send", "board", "a secret", "--as", "ann").status == 0)
        return (server.port, server.pid, ann, bob)
    }

    @Test func theOperatorMakesInvitesAndRemovesAndReadersSeeIt() async throws {
        let folder = CommandLineFolder()
        let (port, pid, ann, bob) = try board(folder)
        defer {
            kill(pid, SIGKILL)
            _ = CommandLineFolder.wait(pid)
        }
        let root = token(folder, "root", "--admin")

        func sees(_ token: String, _ query: String = "") async throws -> Bool {
            try await get(port, token, query).contains { $0.contains("a secret") }
        }
        #expect(try await sees(ann))
        #expect(try await !sees(bob))
        #expect(try await !sees(root))
        #expect(try await sees(root, "?all=true"))
        #expect(try await get(port, bob, "?all=true").last == "403")
        #expect(folder.read("serve.err").contains("audit: an admin reads all channels, private ones too"))

        // Only a member invites, and --as is meant as it stands; nobody is invited who is not there.
        #expect(folder.crowbar("channel", "invite", "board", "nobody", "--as", "ann").error.contains("'nobody'"))
        let stranger = folder.crowbar("channel", "invite", "nothing", "bob")
        #expect(stranger.status == 1 && stranger.error.contains("there is no channel 'nothing'"), "\(stranger.error)")
        let invited = folder.crowbar("channel", "invite", "board", "bob", "--as", "ann")
        #expect(invited.status == 0, "\(invited.error)")
        #expect(folder.crowbar("channel", "invite", "board", "bob").error.contains("is invited to 'board' already"))
        let invitations = try await get(port, bob, "?type=USER_INVITED")
        #expect(invitations.count == 2 && invitations[0].contains(#""invitee":"bob""#), "\(invitations)")
        let listed = folder.crowbar("channel", "list").output.split(separator: "\n").last ?? ""
        // Ann alone: the command line's own user, who joined to invite and was refused, is out again.
        #expect(listed.wholeMatch(of: /board +1 +ann +20\S+ +yes +1 */) != nil, "\(listed)")

        // Who joined for a command that is then refused is out again.
        #expect(folder.verb(["user", "add", "dan"]).status == 0)
        for invitee in ["nobody", "bob"] {
            let refused = folder.crowbar("channel", "invite", "board", invitee, "--as", "dan")
            #expect(refused.status == 1, "\(refused.error)")
            #expect(folder.crowbar("channel", "list").output.contains(/board +1 +ann/))
        }

        #expect(folder.crowbar("send", "board", "hello", "--as", "bob").status == 0)
        #expect(try await sees(bob))
        let removed = folder.crowbar("channel", "remove", "board", "bob")
        #expect(removed.status == 0, "\(removed.error)")
        #expect(try await !sees(bob))
        let again = folder.crowbar("channel", "remove", "board", "bob")
        #expect(again.status == 1 && again.error.contains("'bob' is not in 'board'"), "\(again.error)")

        // The operator sees all, and may let a hook in.
        #expect(folder.crowbar("events", "export").output.contains("a secret"))
        #expect(folder.crowbar("hooks", "add", "ci", "board").status == 0)
        let copy = folder.file("copy")
        #expect(folder.crowbar("backup", copy).status == 0)
        folder.write("copy.toml", "data = \"\(copy)\"\n")
        #expect(folder.crowbar("events", "export", "--config", "copy.toml").output.contains("a secret"))
    }

    /// A public channel takes the id of a private one that was destroyed: who reads by a token sees the new one alone,
    /// the command line sees both.
    @Test func theOperatorSeesBothChannelsOfOneId() async throws {
        let folder = CommandLineFolder()
        let (port, pid, ann, bob) = try board(folder)
        defer {
            kill(pid, SIGKILL)
            _ = CommandLineFolder.wait(pid)
        }
        for (user, type) in [(ann, "DESTROY_CHANNEL"), (bob, "CREATE_CHANNEL")] {
            let outcome = folder.program([
                "/usr/bin/curl", "-sS", "--max-time", "20", "-H", "Authorization: Bearer \(user)", "--data-binary",
                #"{"type":"\#(type)","channelId":"board"}"#, "http://127.0.0.1:\(port)/api/commands",
            ])
            #expect(outcome.output.contains("eventId"), "\(outcome)")
        }
        #expect(folder.crowbar("send", "board", "open", "--as", "bob").status == 0)
        for user in [ann, bob] {
            for query in ["", "?channel=board"] {
                let lines = try await get(port, user, query)
                #expect(lines.contains { $0.contains(#""open""#) } && !lines.contains { $0.contains("secret") })
            }
        }
        let first = try #require(folder.crowbar("events", "export").output.split(separator: "\n").first)
        let id = try #require(try JSON(parsing: Array(first.utf8))["eventId"]?.string)
        let tail = try #require(folder.start(["events", "tail", "--channel", "board", "--after", id], "tail"))
        defer {
            kill(tail, SIGKILL)
            _ = CommandLineFolder.wait(tail)
        }
        #expect(folder.poll { folder.read("tail.out").contains("open") })
        for seen in [folder.read("tail.out"), folder.crowbar("events", "export").output] {
            #expect(seen.contains("a secret") && seen.contains("CHANNEL_DESTROYED") && seen.contains(#""open""#))
        }
    }

    @Test func checkSaysWhatPluginsDoNotSee() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        folder.makeFolder("plugins.d")
        let server = try #require(folder.serve())
        #expect(folder.crowbar("channel", "add", "board", "--private").status == 0)
        kill(server.pid, SIGTERM)
        _ = CommandLineFolder.wait(server.pid)
        let program = """
            #!/usr/bin/env python3
            import json, sys
            for line in sys.stdin:
                message = json.loads(line)
                if message["type"] == "hello":
                    print(json.dumps({"type": "ready", "protocol": 1, "name": "x", "version": "1"}), flush=True)
            """
        folder.write("p.py", program)
        chmod(folder.file("p.py"), 0o755)
        folder.write("plugins.d/word-filter.toml", "command = [\"../p.py\"]\nphase = \"command\"\n")
        folder.write("plugins.d/open.toml", "command = [\"../p.py\"]\nchannels = [\"board\"]\n")
        folder.write("plugins.d/named.toml", "command = [\"../p.py\"]\nchannels = [\"board\"]\nprivate = true\n")
        folder.write("plugins.d/wide.toml", "command = [\"../p.py\"]\nchannels = [\"bo*\"]\nprivate = true\n")
        let lines = folder.crowbar("check").error.split(separator: "\n").map(String.init)
        let unchecked = "commands in private channels are not checked by 'word-filter'"
        #expect(lines.count { $0.hasPrefix("note: ") && $0.contains(unchecked) } == 1, "\(lines)")
        let hidden = lines.filter { $0.contains("the channel 'board' is private") }
        #expect(hidden.count == 1 && hidden[0].contains("open.toml"), "\(lines)")
        #expect(lines.contains { $0.hasPrefix("error: ") && $0.contains("wide.toml:3: private: needs") }, "\(lines)")
    }
}
