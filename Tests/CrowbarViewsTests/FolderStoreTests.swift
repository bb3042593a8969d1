import CrowbarTesting
import Glibc
import Testing

@testable import CrowbarViews

/// A folder that views are published to, with real files.
@Suite struct FolderStoreTests {
    private let folder: TemporaryFolder
    private let path: String
    private let store: FolderStore

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("www")
        store = FolderStore(path)
    }

    private func write(_ file: PublishedFile, _ text: String) async -> PublishResult {
        await store.write(file, Array(text.utf8), position: 1, replacing: nil)
    }

    private func text(_ name: String) -> String? {
        guard let file = fopen(path + "/" + name, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        return String(decoding: bytes[..<fread(&bytes, 1, bytes.count, file)], as: UTF8.self)
    }

    private func make(_ name: String, _ text: String) {
        guard let file = fopen(path + "/" + name, "w") else { return }
        fputs(text, file)
        fclose(file)
    }

    private func info(_ name: String) -> stat {
        var info = stat()
        #expect(lstat(path + "/" + name, &info) == 0, "\(name)")
        return info
    }

    private func names(_ name: String) -> [String] {
        guard let handle = opendir(path + "/" + name) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names.filter { $0 != "." && $0 != ".." }.sorted()
    }

    @Test func filesAreMadeForEverybodyToReadReplacedAndDeleted() async throws {
        #expect(try await store.list(of: "e1").isEmpty)
        guard case .written(let first?) = await write(.messages("a"), "one") else {
            Issue.record("not written")
            return
        }
        #expect(text("messages/a.json") == "one")
        #expect(info("messages/a.json").st_mode & 0o777 == 0o644 && info("messages").st_mode & 0o777 == 0o755)
        #expect(info("").st_mode & 0o777 == 0o755)
        #expect(try await store.list(of: "e1") == [.messages("a"): first])
        // The same content is not written again.
        let inode = info("messages/a.json").st_ino
        #expect(await write(.messages("a"), "one") == .written(tag: first))
        #expect(info("messages/a.json").st_ino == inode)
        // Whoever has the file open goes on with the old content.
        let reader = open(path + "/messages/a.json", O_RDONLY)
        defer { close(reader) }
        guard case .written(let second?) = await write(.messages("a"), "two!") else {
            Issue.record("not written")
            return
        }
        #expect(second != first && text("messages/a.json") == "two!" && names("messages") == ["a.json"])
        var bytes = [UInt8](repeating: 0, count: 16)
        #expect(read(reader, &bytes, 16) == 3)
        #expect(await write(.allChannels, "[]").isWritten)
        #expect(await store.delete(.messages("a"), position: 2) == .gone)
        #expect(await store.delete(.messages("a"), position: 2) == .gone)
        #expect(await store.delete(.channel("never"), position: 2) == .gone)
        #expect(text("messages/a.json") == nil && names("") == [".crowbar-published", "allchannels.json", "messages"])
    }

    @Test func aCrashBetweenWritingAndRenamingLeavesNoHalfFile() async throws {
        _ = try await store.list(of: "e1")
        #expect(await write(.messages("a"), "whole").isWritten)
        make("messages/.crowbar-4711.tmp", "hal")
        make(".crowbar-\(getpid()).tmp", "hal")
        #expect(await write(.allChannels, "[]").isWritten)
        #expect(Set(try await store.list(of: "e1").keys) == [.messages("a"), .allChannels])
        #expect(names("messages") == ["a.json"] && text("messages/a.json") == "whole")
        #expect(names("") == [".crowbar-published", "allchannels.json", "messages"])
    }

    @Test func symbolicLinksAreNotFollowed() async throws {
        _ = try await store.list(of: "e1")
        #expect(await write(.messages("a"), "x").isWritten)
        // In place of a file: the link is replaced, and what it leads to stays.
        make("victim", "dear")
        unlink(path + "/messages/a.json")
        #expect(symlink("../victim", path + "/messages/a.json") == 0)
        #expect(await write(.messages("a"), "dear").isWritten)
        #expect(text("victim") == "dear" && info("messages/a.json").st_mode & S_IFMT == S_IFREG)
        unlink(path + "/messages/a.json")
        #expect(symlink("../victim", path + "/messages/a.json") == 0)
        #expect(await store.delete(.messages("a"), position: 1) == .gone)
        #expect(text("victim") == "dear")
        // In place of a temporary file.
        #expect(symlink("../victim", path + "/messages/.crowbar-\(getpid()).tmp") == 0)
        #expect(await write(.messages("a"), "new").isWritten)
        #expect(text("victim") == "dear" && text("messages/a.json") == "new")
        // In place of a folder: nothing is written.
        let outside = folder.file("outside")
        mkdir(outside, 0o755)
        #expect(symlink(outside, path + "/channel") == 0)
        guard case .targetFailed(let reason) = await write(.channel("a"), "x") else {
            Issue.record("written through a link")
            return
        }
        #expect(reason.description.contains("it is a symbolic link, which is not followed"), "\(reason)")
        #expect(opendir(outside).map { closedir($0) } == 0)
        await #expect(throws: PublishFailure.self) { try await store.list(of: "e1") }
        guard case .targetFailed = await store.delete(.channel("a"), position: 1) else {
            Issue.record("deleted through a link")
            return
        }
    }

    @Test func aFolderOfAnotherLogIsRefused() async throws {
        _ = try await store.list(of: "e1")
        _ = await write(.messages("a"), "one")
        let failure = await #expect(throws: PublishFailure.self) { try await store.list(of: "other") }
        #expect(failure?.description.contains("published from another log") == true)
        #expect(text("messages/a.json") == "one")
        #expect(Array(try await store.list(of: "e1").keys) == [.messages("a")])
        // A mark that a crash left empty is made again. What is in the folder is then nobody's.
        make(FolderStore.mark, "")
        #expect(try await store.list(of: "other").isEmpty)
        await #expect(throws: PublishFailure.self) { try await store.list(of: "e1") }
    }

    @Test func filesOfAFolderThatIsNotCrowbarsAreNotListed() async throws {
        mkdir(path, 0o755)
        mkdir(path + "/messages", 0o755)
        make("messages/own.json", "mine")
        make("messages/Other.json", "mine")
        #expect(try await store.list(of: "e1").isEmpty)
        // From the second time on it is Crowbar's folder, and what looks like its files is.
        #expect(Array(try await store.list(of: "e1").keys) == [.messages("own")])
    }

    @Test func whatIsInTheWayIsSaid() async throws {
        _ = try await store.list(of: "e1")
        mkdir(path + "/messages", 0o755)
        mkdir(path + "/messages/a.json", 0o755)
        guard case .fileFailed(let reason) = await write(.messages("a"), "x") else {
            Issue.record("written over a folder")
            return
        }
        #expect(reason.description.contains("messages/a.json' cannot be replaced"), "\(reason)")
        guard case .fileFailed = await store.delete(.messages("a"), position: 1) else {
            Issue.record("a folder was deleted")
            return
        }
        make("channel", "a file")
        guard case .targetFailed(let other) = await write(.channel("a"), "x") else {
            Issue.record("written below a file")
            return
        }
        #expect(other.description.contains("remove it"), "\(other)")
        #expect(names("messages") == ["a.json"])
        let nowhere = FolderStore(folder.file("no/such/folder"))
        let failure = await #expect(throws: PublishFailure.self) { try await nowhere.list(of: "e1") }
        #expect(failure?.description.contains("make the folder above it") == true)
    }
}

extension PublishResult {
    fileprivate var isWritten: Bool { if case .written = self { true } else { false } }
}
