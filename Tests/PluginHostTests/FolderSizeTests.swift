import Foundation
import Testing

@testable import PluginHost

/// What a plugin's folder takes of the disk, also where the plugin does not want it to be known.
@Suite struct FolderSizeTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "crowbar-size-\(UUID().uuidString)")

    private func path(_ name: String) -> String { folder.appending(path: name).path }

    /// Makes a folder, fills it, measures it, removes it.
    private func measure(
        entries: Int = FolderSize.Limit.entries, depth: Int = FolderSize.Limit.depth, _ fill: () throws -> Void,
        as run: (() -> FolderSize?) throws -> FolderSize? = { $0() }
    ) throws -> FolderSize {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try fill()
        return try #require(try run { FolderSize.measure(folder.path, entries: entries, depth: depth) })
    }

    private func write(_ name: String, _ bytes: Int) throws {
        try Data(repeating: 1, count: bytes).write(to: folder.appending(path: name))
    }

    private func makeFolder(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
    }

    @Test func filesInAllFoldersCount() throws {
        let size = try measure {
            try write("a", 100_000)
            try makeFolder("deep/er")
            try write("deep/er/b", 200_000)
        }
        #expect(size.entries == 4 && size.problem == nil)
        #expect(size.bytes >= 300_000 && size.bytes < 400_000)
    }

    @Test func aFileWithSeveralNamesCountsOnceAndHolesNot() throws {
        let size = try measure {
            try write("a", 100_000)
            for i in 0..<10 { #expect(link(path("a"), path("link\(i)")) == 0) }
            try write("sparse", 1)
            #expect(truncate(path("sparse"), 1 << 30) == 0)
        }
        #expect(size.entries == 12)
        #expect(size.bytes >= 100_000 && size.bytes < 200_000)
    }

    @Test func linksAreNotFollowed() throws {
        let size = try measure {
            #expect(symlink("/usr", path("usr")) == 0)
            #expect(symlink(".", path("loop")) == 0)
            #expect(symlink("/nowhere", path("broken")) == 0)
        }
        #expect(size.entries == 3 && size.problem == nil)
        #expect(size.bytes < 100_000)
    }

    @Test func aNameThatIsNoTextHidesNothing() throws {
        let size = try measure {
            let name: [CChar] = Array(path("x").utf8CString.dropLast()) + [-1, -2, 0]
            let file = open(name, O_WRONLY | O_CREAT, 0o600)
            #expect(Glibc.write(file, [UInt8](repeating: 1, count: 100_000), 100_000) == 100_000)
            close(file)
        }
        #expect(size.bytes >= 100_000)
    }

    @Test func theLookIsBounded() throws {
        let many = try measure(entries: 20) { for i in 0..<30 { try write("f\(i)", 1) } }
        #expect(many.problem == "it holds over 20 files and folders")
        let deep = try measure(depth: 5) { try makeFolder("a/a/a/a/a/a/a/a") }
        #expect(deep.problem == "it holds folders within folders, over 5 deep")
    }

    @Test(.enabled(if: geteuid() == 0), arguments: [mode_t(0o400), 0o500, 0o700, 0, 0o100])
    func aFolderThatItsOwnerClosesHidesNothing(mode: mode_t) throws {
        let size = try measure {
            try makeFolder("closed")
            try write("closed/big", 1_000_000)
            for name in ["", "closed", "closed/big"] { #expect(chown(path(name), OtherUser.number, 0) == 0) }
            #expect(chmod(path("closed"), mode) == 0)
        } as: { body in
            try OtherUser.run(body)
        }
        // Either it was counted, or it is said that it was not.
        switch mode {
        case 0o500, 0o700: #expect(size.problem == nil && size.bytes >= 1_000_000)
        case 0o400: #expect(size.problem?.contains("/closed' cannot be looked into: Permission denied") == true)
        default: #expect(size.problem?.contains("/closed' cannot be opened: Permission denied") == true)
        }
    }

    @Test(.enabled(if: geteuid() == 0)) func aFolderThatCannotBeReachedIsNotTakenForNone() throws {
        let size = try measure {
            try makeFolder("own")
            #expect(chmod(folder.path, 0) == 0)
        } as: { _ in
            try OtherUser.run { FolderSize.measure(path("own")) }
        }
        #expect(size.problem?.contains("cannot be opened: Permission denied") == true)
    }

    @Test func aFolderThatIsALinkOrNotThereIsNotMeasured() throws {
        _ = try measure {
            #expect(symlink("/usr", path("usr")) == 0)
            #expect(FolderSize.measure(path("usr")) == nil)
            #expect(FolderSize.measure(path("none")) == nil)
        }
    }

    @Test(
        arguments: [
            (Int64(1) << 30, nil), ((1 << 30) + 1, "takes 1 GB of the disk, and limits.disk allows 1 GB"),
            (5 << 30, "takes 5 GB of the disk"), (Int64(1.5 * 1_073_741_824), "takes 1.5 GB of the disk"),
        ] as [(Int64, String?)])
    func theDefaultIsAGigabyte(bytes: Int64, words: String?) {
        let manifest = Manifest(name: "p", file: "/e/p.toml", command: ["p"])
        let reason = FolderSize(bytes: bytes).refusal(manifest, folder: "/d/p")
        if let words {
            #expect(reason?.contains(words) == true, "\(reason ?? "")")
            #expect(reason?.hasSuffix("then 'crowbar plugins start p'") == true)
        } else {
            #expect(reason == nil)
        }
    }

    @Test(arguments: [(Int64(1), "1 KB"), (2_048, "2 KB"), (1 << 20, "1 MB"), (3 << 19, "1.5 MB"), (1 << 30, "1 GB")])
    func sizesForPeople(bytes: Int64, text: String) {
        #expect(FolderSize.text(bytes) == text)
    }

    @Test func whatCannotBeCountedIsOverEveryLimit() {
        var manifest = Manifest(name: "p", file: "/e/p.toml", command: ["p"])
        manifest.limits = .init(disk: 1 << 40)
        let reason = FolderSize(problem: "it holds over 20 files and folders").refusal(manifest, folder: "/d/p")
        #expect(reason?.contains("it holds over 20 files and folders; clean up '/d/p'") == true)
    }
}
