import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// Views that the real server publishes to a folder and to moto's S3.
@Suite(.serialized) struct PublishTests {
    private static func toml(_ publish: String, anonymous: Bool = true) -> String {
        """
        data = "d"
        [http]
        listen = "127.0.0.1:0"
        [auth]
        anonymous_read = \(anonymous)
        \(publish)
        """
    }

    private static let keys = ["AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=own/secret+"]

    private func get(_ folder: CommandLineFolder, _ port: String, _ path: String) -> String {
        folder.program("/usr/bin/curl", "-sS", "--max-time", "20", "http://127.0.0.1:\(port)/views/\(path)").output
    }

    private func run(_ folder: CommandLineFolder, _ arguments: String...) {
        let outcome = folder.verb(arguments)
        #expect(outcome.status == 0, "\(arguments): \(outcome.error)")
    }

    private func publishing(_ folder: CommandLineFolder) -> [JSON] {
        let views = (try? JSON(parsing: Array(folder.crowbar("views", "--json").output.utf8)))?.array ?? []
        return views.flatMap { $0["publishing"]?.array ?? [] }
    }

    private func end(_ pid: pid_t) {
        kill(pid, SIGTERM)
        #expect(CommandLineFolder.wait(pid) == 0)
    }

    @Test func aFolderAndABucketHaveByteForByteWhatIsServedWithoutAToken() async throws {
        let tests = String(#filePath.dropLast("EndToEndTests/PublishTests.swift".count))
        let moto = try LineProcess(
            tests + "../.build/test-python/bin/python", arguments: ["-I", tests + "CrowbarViewsTests/bucket_world.py"])
        let port = try await moto.first("moto's port", within: .seconds(60)) { try JSON(parsing: $0)["port"]?.int }
        func object(_ key: String) async throws -> String? {
            try await moto.send(line: JSON.object([.init("get", .string(key))]).bytes)
            return try await moto.first("the object \(key)", within: .seconds(30)) { line -> String?? in
                try JSON(parsing: line)["object"].map { $0["body"]?.string }
            }
        }
        let folder = CommandLineFolder()
        folder.makeFolder("plugins.d")
        folder.write(
            "crowbar.toml",
            Self.toml(
                """
                [[views.publish]]
                to = "www"
                views = ["allchannels", "channel", "messages", "allmessages"]
                every = "100ms"
                [[views.publish]]
                to = "s3://chat-views/live"
                region = "eu-central-1"
                endpoint = "http://127.0.0.1:\(port)"
                every = "100ms"
                """))
        let checked = folder.program(["/usr/bin/env"] + Self.keys + [CommandLineFolder.binary, "check"])
        #expect(checked.status == 0 && checked.error.contains("'www' is not there yet; the server makes it"))
        var server = try #require(folder.serve(by: ["/usr/bin/env"] + Self.keys))
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        run(folder, "user", "add", "ann")
        run(folder, "channel", "add", "general", "--as", "ann")
        run(folder, "channel", "add", "news.2", "--as", "ann")
        run(folder, "channel", "add", "board", "--private", "--as", "ann")
        run(folder, "send", "board", "a secret", "--as", "ann")
        run(folder, "send", "general", "hello", "--as", "ann")
        let paths = [
            "allchannels.json", "channel/general.json", "channel/news.2.json", "messages/general.json",
            "messages/news.2.json",
        ]
        func isSame(_ paths: [String]) -> Bool {
            paths.allSatisfy { folder.read("www/" + $0) == get(folder, server.port, $0) }
        }
        func isSameInBucket(_ paths: [String]) async throws -> Bool {
            for path in paths where try await object("live/" + path) != get(folder, server.port, path) { return false }
            return true
        }
        func poll(_ what: String, _ condition: () async throws -> Bool) async throws {
            for _ in 0..<600 {
                if try await condition() { return }
                try await Task.sleep(for: .milliseconds(20))
            }
            Issue.record("\(what): \(publishing(folder)) \(folder.read("serve.err"))")
        }
        #expect(get(folder, server.port, "messages/general.json").contains("hello"))
        try await poll("the folder") { isSame(paths + ["allmessages.json"]) }
        try await poll("the bucket") { try await isSameInBucket(paths) }
        try await poll("current") {
            publishing(folder).count == 4 && publishing(folder).allSatisfy { $0["state"]?.string == "current" }
        }
        #expect(folder.list("www/messages") == ["general.json", "news.2.json"])
        #expect(folder.list("www/channel") == ["general.json", "news.2.json"])
        #expect(folder.shell("grep -r 'board\\|secret' www").status == 1)
        let table = folder.crowbar("views").output
        #expect(table.contains("PUBLISHING") && table.contains("current, current"), "\(table)")
        #expect(folder.list("d").allSatisfy { !$0.contains("www") })

        // What is erased leaves both, and the command names them.
        run(folder, "user", "add", "root", "--admin")
        run(folder, "user", "add", "bob")
        let text = folder.crowbar("send", "general", "swordfish", "--as", "bob")
        run(folder, "send", "news.2", "swordfish too", "--as", "bob")
        try await poll("the texts") { isSame(paths) && folder.read("www/messages/news.2.json").contains("swordfish") }
        try await poll("the texts in the bucket") { try await isSameInBucket(paths) }
        let erased = folder.crowbar("erase", "message", "general", String(text.output.dropLast()), "--yes")
        #expect(erased.status == 0 && erased.output.contains("which the server replaces now"), "\(erased.output)")
        #expect(erased.output.contains("  www\n  s3://chat-views/live\nnot reached:\n"), "\(erased.output)")
        #expect(erased.output.contains("  earlier versions of objects below s3://chat-views/live, if the bucket"))
        try await poll("erased in the folder") { !folder.read("www/messages/general.json").contains("swordfish") }
        try await poll("erased in the bucket") {
            try await object("live/messages/general.json").map { !$0.contains("swordfish") } ?? false
        }
        let user = folder.crowbar("erase", "user", "bob", "--yes", "--json")
        #expect(user.output.contains(#""published":["www","s3://chat-views/live"],"notReached":["earlier"#))
        try await poll("the user in the folder") {
            isSame(paths) && folder.shell("grep -r 'swordfish\\|\"bob\"' www").status == 1
        }
        try await poll("the user in the bucket") { try await isSameInBucket(paths) }

        // A channel that goes, and what happens to the folder while the server is down.
        let token = String(folder.crowbar("token", "ann").output.dropLast())
        let destroyed = folder.program(
            "/usr/bin/curl", "-sS", "--max-time", "20", "-H", "Authorization: Bearer \(token)", "--data-binary",
            #"{"type":"DESTROY_CHANNEL","channelId":"news.2"}"#, "http://127.0.0.1:\(server.port)/api/commands")
        #expect(destroyed.output.contains("eventId"), "\(destroyed.output)")
        try await poll("deletion") { folder.list("www/messages") == ["general.json"] }
        end(server.pid)
        unlink(folder.file("www/messages/general.json"))
        folder.write("www/messages/gone.json", "of a channel that went long ago")
        server = try #require(folder.serve(by: ["/usr/bin/env"] + Self.keys))
        try await poll("the folder after a restart") {
            isSame(["messages/general.json"]) && folder.list("www/messages") == ["general.json"]
        }
        try await poll("the bucket after a restart") { try await object("live/messages/news.2.json") == nil }
        #expect(!folder.read("serve.err").contains("own/secret"))
        end(server.pid)
        #expect(!folder.read("serve.err").contains("cannot be published"), "\(folder.read("serve.err"))")
        server = try #require(folder.serve())
        // Without keys in its environment.
        try await poll("failing") {
            folder.crowbar("views").output.contains("s3://chat-views/live: no credentials for S3: there are none")
        }
        #expect(folder.read("serve.err").contains("views cannot be published; the server tries again"))
        #expect(folder.crowbar("check").error.contains("views.publish[1].credentials: there are none"))
    }

    @Test func withoutAnonymousReadNothingIsPublished() {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml("[[views.publish]]\nto = \"www\"", anonymous: false))
        let line =
            "crowbar: crowbar.toml:6: views.publish[0]: what is published is what callers without a token read; set "
            + "anonymous_read = true in [auth]"
        for verb in ["check", "serve"] {
            let outcome = folder.crowbar(verb)
            #expect(outcome.status == 1 && outcome.error.contains(line), "\(verb): \(outcome.error)")
        }
        let enabled = folder.program(
            "/usr/bin/env", "CROWBAR_AUTH_ANONYMOUS_READ=true", CommandLineFolder.binary, "check")
        #expect(enabled.status == 0, "\(enabled.error)")
        folder.write("crowbar.toml", Self.toml("[[views.publish]]\nto = \"d/www\""))
        for verb in ["check", "serve"] {
            let outcome = folder.crowbar(verb)
            #expect(outcome.status == 1 && outcome.error.contains("lies in the data folder"), "\(outcome.error)")
            // Whether it is there or can be made is no question then.
            #expect(outcome.error.split(separator: "\n").filter { $0.contains("www") }.count == 1, "\(outcome.error)")
        }
        #expect(folder.list("d").isEmpty)
    }

    @Test(arguments: [
        ("", "views.publish[0].to: is missing"), ("to = \"\"", "to: is missing"),
        ("to = \"gs://b/p\"", "to: must be a folder or"), ("to = \"s3://B/p\"", "to: 'B' is no name of a bucket"),
        ("to = \"s3://bucket/a//b\"\nregion = \"r\"", "to: a prefix has up to"),
        ("to = \"s3://bucket/../b\"\nregion = \"r\"", "to: a prefix has up to"),
        ("to = \"s3://bucket\"", "region: is missing; give the bucket's region"),
        ("to = \"s3://bucket\"\nregion = \"a b\"", "region: must be the name of a region"),
        ("to = \"s3://bucket\"\nregion = \"r\"\nendpoint = \"x\"", "endpoint: must be http or https"),
        (
            "to = \"s3://bucket\"\nregion = \"r\"\nendpoint = \"http://169.254.169.254\"",
            "endpoint: '169.254.169.254' is an address that no store can have"
        ),
        ("to = \"www\"\nregion = \"r\"", "region: is for \"s3://…\" only"),
        ("to = \"s3:/bucket\"", "to: must be \"s3://BUCKET/PREFIX\", with two slashes; a folder of that name is"),
        ("to = \"www\"\nviews = [\"search\"]", "views[0]: 'search' is never published"),
        ("to = \"www\"\nviews = [\"message\"]", "did you mean \"messages\"?"),
        ("to = \"www\"\nviews = []", "views: must name at least one view"),
        ("to = \"www\"\nevery = \"10ms\"", "every: must be a time from"),
        ("to = \"www\"\nevery = \"9223372036854775807m\"", "every: must be a time from"),
        ("to = \"www\"\nevry = \"1s\"", "unknown key; did you mean 'every'?"),
        ("to = \"www\"\n[[views.publish]]\nto = \"www\"", "views.publish[1].to: another target is 'www' too"),
        (
            "to = \"s3://bucket\"\nregion = \"r\"\ncredentials = \"environment\"\nprofile = \"x\"",
            "profile: is of no use with credentials"
        ),
        (
            "to = \"s3://bucket\"\nregion = \"r\"\ncredentials_file = \"/no/such/file\"",
            "credentials_file: '/no/such/file' cannot be read: No such file or directory"
        ),
    ]) func whatIsWrongIsSaid(_ keys: String, _ error: String) {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml("[[views.publish]]\n\(keys)"))
        let outcome = folder.crowbar("check")
        #expect(outcome.status == 1 && outcome.error.contains(error), "\(outcome.error)")
        // One mistake is one line, with its place.
        let lines = outcome.error.split(separator: "\n").filter { !$0.hasPrefix("note: ") }
        #expect(lines.count == 1 && lines.allSatisfy { $0.contains("crowbar.toml:") }, "\(outcome.error)")
    }

    @Test func allMistakesOfAllTargetsAreSaid() {
        let folder = CommandLineFolder()
        folder.write(
            "crowbar.toml",
            """
            [http]
            listen = "127.0.0.1:0"
            [[views.publish]]
            to = "s3://bucket"
            every = "1ms"
            [[views.publish]]
            to = "gs://x"
            views = ["unread", "mesages"]
            [limits]
            commands_burst = 5
            """)
        let outcome = folder.crowbar("check")
        let lines = outcome.error.split(separator: "\n").filter { $0.hasPrefix("crowbar: ") }
        let places = lines.map { $0.split(separator: ":").prefix(4).dropFirst().joined(separator: ":") }
        #expect(
            places == [
                " crowbar.toml:3: views.publish[0].region", " crowbar.toml:5: views.publish[0].every",
                " crowbar.toml:7: views.publish[1].to", " crowbar.toml:8: views.publish[1].views[0]",
                " crowbar.toml:8: views.publish[1].views[1]", " crowbar.toml:10: limits.commands_burst",
            ], "\(outcome.error)")
        folder.write("crowbar.toml", "[auth]\nanonymous_read = true\n[views.publish]\nto = \"www\"\n")
        let single = folder.crowbar("check").error
        #expect(
            single.contains("crowbar.toml:3: views.publish: must be an array of tables: write [[views.publish]] with"))
    }

    @Test func aFolderWithFilesAndWithoutOurMarkIsNoted() {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml("[[views.publish]]\nto = \"www\""))
        folder.makeFolder("plugins.d")
        folder.makeFolder("www")
        #expect(!folder.crowbar("check").error.contains("www"))
        folder.write("www/index.html", "mine")
        let noted = folder.crowbar("check")
        #expect(noted.status == 0, "\(noted.error)")
        #expect(
            noted.error.contains(
                "note: crowbar.toml:7: views.publish[0].to: the folder 'www' has files but no '.crowbar-published'"))
        folder.write("www/.crowbar-published", "log: e1\n")
        #expect(!folder.crowbar("check").error.contains("www"))
    }
}
