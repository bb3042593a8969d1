import CrowbarTesting
import Glibc
import Testing

@testable import CrowbarViews

/// Views that are published while the log grows.
@Suite(.serialized) struct PublisherTests {
    private func files(_ folder: String) -> [String: String] {
        var found: [String: String] = [:]
        for base in ["", "channel/", "messages/"] {
            guard let handle = opendir(folder + "/" + base) else { continue }
            defer { closedir(handle) }
            while let entry = readdir(handle) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                guard name.hasSuffix(".json"), let file = fopen("\(folder)/\(base)\(name)", "r") else { continue }
                defer { fclose(file) }
                var bytes = [UInt8](repeating: 0, count: 1 << 16)
                found[base + name] = String(decoding: bytes[..<fread(&bytes, 1, bytes.count, file)], as: UTF8.self)
            }
        }
        return found
    }

    @Test func aFolderHasWhatACallerWithoutATokenGets() async throws {
        let world = try PublishWorld()
        let path = world.folder.file("www")
        try await world.begin()
        @Sendable func same() async throws {
            try await world.until("the folder is what a caller gets") {
                (try? await world.wanted()).map { $0 == files(path) } ?? false
            }
        }
        try await world.publishing(FolderStore(path)) {
            try await same()
            let first = files(path)
            #expect(first.count == 6 && first["messages/general.json"]?.contains("hello") == true)
            #expect(!first.values.contains { $0.contains("secret") || $0.contains("hush") })
            // Everything that changes a file, and what changes none.
            for (json, user) in [
                (#"{"type":"SEND_MESSAGE","channelId":"general","message":"two","eventId":"m2"}"#, "ann"),
                (#"{"type":"EDIT_MESSAGE","channelId":"general","messageId":"m2","message":"too"}"#, "ann"),
                (#"{"type":"ADD_REACTION","channelId":"general","messageId":"m2","reaction":"👍"}"#, "ann"),
                (#"{"type":"JOIN_CHANNEL","channelId":"general"}"#, "bob"),
                (#"{"type":"RENAME_USER","name":"Robert"}"#, "bob"),
                (#"{"type":"SET_TOPIC","channelId":"board","topic":"news"}"#, "ann"),
                (#"{"type":"DELETE_MESSAGE","channelId":"general","messageId":"m2"}"#, "ann"),
                (#"{"type":"SEND_MESSAGE","channelId":"secret","message":"hush hush"}"#, "ann"),
            ] {
                try await world.send(json, as: user)
                try await same()
            }
            // A channel that goes, one that comes back with the same id, and one that comes back private.
            try await world.send(#"{"type":"DESTROY_CHANNEL","channelId":"general"}"#)
            try await same()
            #expect(files(path)["messages/general.json"] == nil && files(path)["channel/general.json"] == nil)
            try await world.send(#"{"type":"CREATE_CHANNEL","channelId":"general","private":true}"#)
            try await world.send(#"{"type":"SEND_MESSAGE","channelId":"general","message":"hush"}"#)
            try await world.send(#"{"type":"DESTROY_CHANNEL","channelId":"secret"}"#)
            try await world.send(#"{"type":"CREATE_CHANNEL","channelId":"secret"}"#)
            try await world.send(#"{"type":"SEND_MESSAGE","channelId":"secret","message":"open now"}"#)
            try await same()
            #expect(files(path)["messages/secret.json"]?.contains("open now") == true)
            #expect(!files(path).values.contains { $0.contains("hush") || $0.contains("general") })
            // Destroyed and made again between two looks, public and private.
            try await world.send(#"{"type":"DESTROY_CHANNEL","channelId":"secret"}"#)
            try await world.send(#"{"type":"CREATE_CHANNEL","channelId":"late"}"#)
            try await world.send(#"{"type":"DESTROY_CHANNEL","channelId":"board"}"#)
            try await world.send(#"{"type":"CREATE_CHANNEL","channelId":"board","private":true}"#)
            try await same()
            #expect(
                files(path).keys.sorted().filter { $0.contains("/") } == ["channel/late.json", "messages/late.json"])
        }
    }

    @Test func aRestartWritesOnlyWhatChangedAndDeletesWhatIsGone() async throws {
        let world = try PublishWorld()
        let path = world.folder.file("www")
        try await world.begin()
        try await world.publishing(FolderStore(path)) { try await world.settle() }
        let store = CountingStore(FolderStore(path))
        // Nothing runs meanwhile.
        try await world.send(#"{"type":"DESTROY_CHANNEL","channelId":"board"}"#)
        try await world.send(#"{"type":"CREATE_CHANNEL","channelId":"board","private":true}"#)
        try await world.send(#"{"type":"CREATE_CHANNEL","channelId":"late"}"#)
        unlink(path + "/channel/general.json")
        let second = try PublishWorld(world)
        try await second.publishing(store) {
            try await second.until("the folder is what a caller gets") {
                (try? await second.wanted()).map { $0 == files(path) } ?? false
            }
        }
        let calls = await store.calls
        #expect(
            Set(calls) == [
                "delete channel/board.json", "delete messages/board.json", "write channel/late.json",
                "write messages/late.json", "write allchannels.json", "write allmessages.json",
                "write channel/general.json",
            ], "\(calls)")
        // Where views.db is lost, every file is compared, and what is gone is found again.
        for suffix in ["", "-wal", "-shm"] { unlink(world.folder.file("views.db") + suffix) }
        try await world.send(#"{"type":"DESTROY_CHANNEL","channelId":"late"}"#)
        let third = try PublishWorld(world)
        try await third.publishing(FolderStore(path)) {
            try await third.until("the folder is what a caller gets") {
                (try? await third.wanted()).map { $0 == files(path) } ?? false
            }
        }
        #expect(files(path)["messages/late.json"] == nil)
        // A view that is published no more.
        let fourth = try PublishWorld(world)
        try await fourth.publishing(FolderStore(path), [.allChannels]) {
            try await fourth.until("the other views are gone") { files(path).keys.sorted() == ["allchannels.json"] }
        }
    }

    @Test func aBucketHasWhatACallerWithoutATokenGets() async throws {
        let (world, moto) = (try PublishWorld(), try await BucketWorld())
        try await world.begin()
        @Sendable func same() async throws {
            try await world.until("the bucket is what a caller gets") {
                guard let wanted = try? await world.wanted(),
                    Set(try await moto.keys()) == Set(wanted.keys.map { "live/v/\($0)" })
                else { return false }
                for (path, text) in wanted {
                    if try await moto.get("live/v/" + path)?.body != text { return false }
                }
                return true
            }
        }
        try await world.publishing(try moto.store(prefix: "live/v")) {
            try await same()
            let object = try #require(try await moto.get("live/v/messages/general.json"))
            #expect(object.type == "application/json" && object.cache == "no-cache")
            let before = try #require(object.position.flatMap { Int64($0) })
            try await world.settle()
            let first = try await moto.requests()
            #expect(!first.isEmpty && first.allSatisfy { $0.isSigned }, "\(first.filter { !$0.isSigned })")
            #expect(first.filter { $0.method == "PUT" }.allSatisfy { $0.condition == "none *" })
            try await world.send(#"{"type":"SEND_MESSAGE","channelId":"general","message":"two"}"#)
            try await same()
            let after = try await moto.get("live/v/messages/general.json")?.position.flatMap { Int64($0) }
            #expect(after ?? 0 > before)
            try await world.settle()
            // One request for what changed, and none for what did not.
            let second = try await moto.requests()
            #expect(
                Set(second.map { "\($0.method) \($0.target)" }) == [
                    "PUT /chat-views/live/v/messages/general.json", "PUT /chat-views/live/v/allmessages.json",
                ], "\(second)")
            #expect(second.allSatisfy { $0.condition?.hasPrefix("\"") == true && $0.status == 200 })
            try await world.send(#"{"type":"DESTROY_CHANNEL","channelId":"general"}"#)
            try await world.send(#"{"type":"CREATE_CHANNEL","channelId":"general","private":true}"#)
            try await world.send(#"{"type":"SEND_MESSAGE","channelId":"general","message":"hush"}"#)
            try await world.send(#"{"type":"DESTROY_CHANNEL","channelId":"secret"}"#)
            try await world.send(#"{"type":"CREATE_CHANNEL","channelId":"secret"}"#)
            try await same()
        }
        // A restart asks for the list and, as nothing changed, for nothing else.
        _ = try await moto.requests()
        let again = try PublishWorld(world)
        try await again.publishing(try moto.store(prefix: "live/v")) { try await again.settle() }
        let third = try await moto.requests()
        #expect(third.count == 3 && third.allSatisfy { $0.method == "GET" && $0.isSigned }, "\(third)")
    }

    @Test func anObjectOfALaterPositionIsNotReplaced() async throws {
        let (world, moto) = (try PublishWorld(), try await BucketWorld())
        try await world.begin()
        try await moto.put("messages/general.json", "of another log", position: "999999")
        try await moto.put("messages/gone.json", "of another log", position: "999999")
        try await moto.put("messages/own.json", "an own file", position: nil)
        try await moto.put("channel/old.json", "of a channel that is gone", position: "1")
        try await world.publishing(try moto.store(prefix: "")) {
            try await world.until("the rest is published") {
                let keys = try await moto.keys()
                return keys.count == 8 && !keys.contains("channel/old.json")
            }
            try await world.until("the status says so") {
                world.views.publishing.statuses.first?.reason?.contains("of position 999999") == true
            }
            #expect(world.views.publishing.statuses.first?.word == "failing")
            for (key, text) in [
                ("messages/general.json", "of another log"), ("messages/gone.json", "of another log"),
                ("messages/own.json", "an own file"),
            ] { #expect(try await moto.get(key)?.body == text) }
            // As the reason says: without the objects it goes on.
            try await moto.delete("messages/general.json")
            try await moto.delete("messages/gone.json")
            try await world.until("it is published") {
                try await moto.get("messages/general.json")?.body.contains("hello") == true
            }
            try await world.settle()
        }
    }

    @Test func anotherWritersObjectIsReadAgain() async throws {
        let (world, moto) = (try PublishWorld(), try await BucketWorld())
        try await world.begin()
        try await world.publishing(try moto.store(prefix: "")) {
            try await world.settle()
            _ = try await moto.requests()
            try await moto.put("messages/general.json", "of an earlier position", position: "1")
            try await moto.delete("channel/general.json")
            try await world.send(#"{"type":"SET_TOPIC","channelId":"general","topic":"news"}"#)
            try await world.send(#"{"type":"SEND_MESSAGE","channelId":"general","message":"two"}"#)
            try await world.until("it is replaced") {
                try await moto.get("messages/general.json")?.body.contains("two") == true
            }
            try await world.until("it is there again") { try await moto.get("channel/general.json") != nil }
            try await world.settle()
            func statuses(_ name: String, _ requests: [BucketWorld.Request]) -> [String] {
                requests.filter { $0.target.hasSuffix(name) }.map { "\($0.method) \($0.status)" }
            }
            let requests = try await moto.requests()
            #expect(statuses("messages/general.json", requests) == ["PUT 412", "HEAD 200", "PUT 200"])
            #expect(statuses("channel/general.json", requests) == ["PUT 404", "HEAD 404", "PUT 200"])
            // A store that answers 409 to one of two writers at a time.
            try await moto.fail(409, code: "ConditionalRequestConflict")
            try await world.send(#"{"type":"SEND_MESSAGE","channelId":"board","message":"three"}"#)
            try await world.until("it is replaced") {
                try await moto.get("messages/board.json")?.body.contains("three") == true
            }
        }
    }

    @Test func aStoreThatIsAwayIsTriedAgainAndServedNothingMeanwhile() async throws {
        let (world, moto) = (try PublishWorld(), try await BucketWorld())
        try await world.begin()
        try await world.publishing(try moto.store(prefix: "")) {
            try await world.settle()
            try await moto.stop()
            try await world.send(#"{"type":"SEND_MESSAGE","channelId":"general","message":"while it was away"}"#)
            try await world.send(#"{"type":"DESTROY_CHANNEL","channelId":"board"}"#)
            try await world.until("the status says so") {
                let status = world.views.publishing.statuses.first
                return status?.word == "failing" && status?.retryIn != nil
            }
            try await moto.start()
            try await world.until("it is published") {
                guard try await !moto.keys().contains("messages/board.json") else { return false }
                return try await moto.get("messages/general.json")?.body.contains("while it was away") == true
            }
            try await world.settle()
            // A store that fails: the reason is its own.
            try await moto.fail(503, code: "SlowDown", times: 2)
            try await world.send(#"{"type":"SEND_MESSAGE","channelId":"general","message":"slowly"}"#)
            try await world.until("the status says so") {
                world.views.publishing.statuses.first?.reason?.contains("SlowDown (503)") == true
            }
            try await world.until("it is published") {
                try await moto.get("messages/general.json")?.body.contains("slowly") == true
            }
        }
    }

    @Test func withoutCredentialsNothingIsAskedAndTheReasonHasNoSecret() async throws {
        let (world, moto) = (try PublishWorld(), try await BucketWorld())
        try await world.begin()
        try await world.publishing(try moto.store(prefix: "", variables: ["AWS_ACCESS_KEY_ID": "A"])) {
            try await world.until("the status says so") {
                world.views.publishing.statuses.first?.reason?.contains("no credentials for S3: there are none") == true
            }
        }
        #expect(try await moto.requests().isEmpty)
        let wrong = ["AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "a very secret key"]
        try await moto.fail(403, code: "InvalidAccessKeyId", times: 1_000)
        let other = try PublishWorld(world)
        try await other.publishing(try moto.store(prefix: "", variables: wrong)) {
            try await other.until("the status says so") {
                other.views.publishing.statuses.first?.reason?.contains("InvalidAccessKeyId (403)") == true
            }
            #expect(!"\(other.views.publishing.statuses)".contains("secret key"))
        }
    }
}
