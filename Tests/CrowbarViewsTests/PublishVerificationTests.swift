import CrowbarTesting
import Glibc
import Logging
import Synchronization
import Testing

@testable import CrowbarViews

/// Published files that others change, targets that hang, and what is said of both.
@Suite(.serialized) struct PublishVerificationTests {
    private func text(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        return String(decoding: bytes[..<fread(&bytes, 1, bytes.count, file)], as: UTF8.self)
    }

    private func put(_ path: String, _ text: String) {
        guard let file = fopen(path, "w") else { return }
        fputs(text, file)
        fclose(file)
    }

    private func logger(_ lines: KeptLines) -> Logger {
        var logger = Logger(label: "publish", factory: { _ in lines })
        logger.logLevel = .info
        return logger
    }

    @Test func filesOfAFolderThatOthersChangeOrDeleteAreWrittenAgain() async throws {
        let (world, lines) = (try PublishWorld(), KeptLines())
        let path = world.folder.file("www")
        try await world.begin()
        try await world.publishing(FolderStore(path), verifyInterval: 20, logger: logger(lines)) {
            try await world.settle()
            let wanted = try await world.wanted()
            // Nothing in the log changes meanwhile.
            unlink(path + "/messages/general.json")
            put(path + "/channel/general.json", "not ours")
            put(path + "/messages/own.json", "an own file")
            try await world.until("both are written again") {
                ["messages/general.json", "channel/general.json"].allSatisfy { text("\(path)/\($0)") == wanted[$0] }
            }
            try await world.until("the log says so") {
                lines.whole.contains { $0.contains("changed or deleted by others") && $0.contains("general.json") }
            }
            #expect(text(path + "/messages/own.json") == "an own file")
            // The whole folder, with its mark.
            let folders = ["messages", "channel"].map { "\(path)/\($0)" }
            for folder in folders { rename(folder, folder + ".away") }
            unlink("\(path)/\(FolderStore.mark)")
            try await world.until("all files are written again") {
                wanted.allSatisfy { text("\(path)/\($0.key)") == $0.value }
                    && text("\(path)/\(FolderStore.mark)") != nil
            }
        }
    }

    @Test func objectsThatOthersChangeOrDeleteAreWrittenAgain() async throws {
        let (world, moto) = (try PublishWorld(), try await BucketWorld())
        #expect(try moto.store(prefix: "live").verifyInterval == 300_000)
        try await world.begin()
        try await world.publishing(try moto.store(prefix: "live"), verifyInterval: 50) {
            try await world.settle()
            let wanted = try await world.wanted()
            try await moto.delete("live/messages/general.json")
            try await moto.put("live/channel/general.json", "not ours", position: "1")
            try await world.until("both are written again") {
                let found = [
                    try await moto.get("live/messages/general.json")?.body,
                    try await moto.get("live/channel/general.json")?.body,
                ]
                return found == [wanted["messages/general.json"], wanted["channel/general.json"]]
            }
            // A store that cannot list is failing, and current again when it can.
            try await moto.fail(503, code: "SlowDown", times: 1)
            try await world.until("the status says so") { world.views.publishing.statuses.first?.word == "failing" }
            try await world.settle()
        }
    }

    /// A target that takes a call and does not answer before it is told to.
    private final class HangingStore: PublishStore {
        private let store: FolderStore
        private let waiting = Mutex<(isHanging: Bool, continuations: [CheckedContinuation<Void, Never>])>((false, []))

        init(_ store: FolderStore) { self.store = store }

        var verifyInterval: Int64 { store.verifyInterval }

        func hang() { waiting.withLock { $0.isHanging = true } }

        func release() {
            let continuations = waiting.withLock { waiting in
                defer { waiting = (false, []) }
                return waiting.continuations
            }
            for continuation in continuations { continuation.resume() }
        }

        private func pass() async {
            await withCheckedContinuation { continuation in
                let isFree = waiting.withLock { waiting in
                    if waiting.isHanging { waiting.continuations.append(continuation) }
                    return !waiting.isHanging
                }
                if isFree { continuation.resume() }
            }
        }

        func list(of log: String) async throws -> [PublishedFile: String?] {
            await pass()
            return try await store.list(of: log)
        }

        func write(
            _ file: PublishedFile, _ body: [UInt8], position: Int64, replacing tag: String?
        ) async -> PublishResult {
            await pass()
            return await store.write(file, body, position: position, replacing: tag)
        }

        func delete(_ file: PublishedFile, position: Int64) async -> PublishResult {
            await pass()
            return await store.delete(file, position: position)
        }
    }

    @Test(arguments: [3_600_000, 20] as [Int64]) func aTargetThatHangsIsNotCurrent(_ interval: Int64) async throws {
        let world = try PublishWorld()
        try await world.begin()
        let store = HangingStore(FolderStore(world.folder.file("www")))
        try await world.publishing(store, verifyInterval: interval) {
            try await world.settle()
            store.hang()
            try await world.send(#"{"type":"SEND_MESSAGE","channelId":"general","message":"while it hangs"}"#)
            try await world.until("it is publishing") { world.views.publishing.statuses.first?.word == "publishing" }
            store.release()
            try await world.settle()
        }
    }

    /// Whoever reads `current` after a change finds the change in the files.
    @Test func whatIsCurrentIsPublished() async throws {
        let world = try PublishWorld()
        let path = world.folder.file("www")
        try await world.begin()
        try await world.publishing(FolderStore(path)) {
            try await world.settle()
            for number in 0..<20 {
                try await world.send(
                    #"{"type":"SEND_MESSAGE","channelId":"general","message":"number \#(number)","messageId":"m"}"#)
                try await world.until("it is current") { world.views.publishing.statuses.first?.word == "current" }
                #expect(text(path + "/messages/general.json")?.contains("number \(number)\"") == true)
                try await world.send(#"{"type":"DELETE_MESSAGE","channelId":"general","messageId":"m"}"#)
                try await world.until("it is current") { world.views.publishing.statuses.first?.word == "current" }
                #expect(text(path + "/messages/general.json")?.contains("number") == false)
                try await world.send(#"{"type":"DESTROY_CHANNEL","channelId":"general"}"#)
                try await world.send(#"{"type":"CREATE_CHANNEL","channelId":"general"}"#)
            }
        }
    }

    /// Also one that hangs from the beginning, as a folder of a file server that is away.
    @Test(arguments: [false, true]) func aTargetThatHangsSaysSo(_ isFirst: Bool) async throws {
        let world = try PublishWorld()
        try await world.begin()
        let store = HangingStore(FolderStore(world.folder.file("www")))
        if isFirst { store.hang() }
        try await world.publishing(store, patience: 20) {
            if !isFirst {
                try await world.settle()
                store.hang()
                try await world.send(#"{"type":"SEND_MESSAGE","channelId":"general","message":"while it hangs"}"#)
            }
            try await world.until("the status says so") {
                let status = world.views.publishing.statuses.first
                return status?.reason?.contains("the target has not answered for ") == true
                    && status?.word == (isFirst ? "starting" : "publishing")
            }
            store.release()
            try await world.settle()
            #expect(world.views.publishing.statuses.first?.reason == nil)
        }
    }

    @Test func deletionsAreLogged() async throws {
        let (world, lines) = (try PublishWorld(), KeptLines())
        try await world.begin()
        try await world.publishing(FolderStore(world.folder.file("www")), logger: logger(lines)) {
            try await world.settle()
            try await world.send(#"{"type":"DESTROY_CHANNEL","channelId":"board"}"#)
            try await world.until("the log says so") {
                let deleted = lines.whole.filter { $0.contains("published files were deleted") }.joined()
                return ["channel/board.json", "messages/board.json", "to=target"].allSatisfy { deleted.contains($0) }
            }
            #expect(!lines.whole.contains { $0.contains("general.json") })
        }
    }

    @Test func aStoresErrorIsKnownByItsCodeAndShowsNoCredentials() async throws {
        let (world, moto, lines) = (try PublishWorld(), try await BucketWorld(), KeptLines())
        try await world.begin()
        let key = BucketWorld.variables["AWS_ACCESS_KEY_ID"] ?? ""
        let signature = String(repeating: "0a", count: 32)
        for number in 1...2 {
            try await moto.fail(
                403, code: "SignatureDoesNotMatch",
                message: "request \(number): \(key) own/secret+ does not give \(signature)")
        }
        try await world.publishing(try moto.store(prefix: ""), logger: logger(lines)) {
            try await world.until("the second reason is shown") {
                world.views.publishing.statuses.first?.reason
                    == "SignatureDoesNotMatch (403): request 2: … … does not give …"
            }
            try await world.settle()
        }
        let failures = lines.whole.filter { $0.contains("cannot be published") }
        // The same failure in other words is no news.
        #expect(failures.count == 1 && failures.allSatisfy { $0.contains("request 1: … … does not give …") })
        #expect(lines.all.contains("views are published again"))
    }
}
