import Foundation
import Testing

@testable import PluginHost

/// A folder goes, however it was made.
@Suite struct FolderRemovalTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "crowbar-gone-\(UUID().uuidString)")
        .path

    private func make() { #expect(mkdir(folder, 0o755) == 0) }

    private var isThere: Bool { access(folder, F_OK) == 0 }

    private func touch(_ path: String) { close(open(path, O_WRONLY | O_CREAT, 0o600)) }

    /// Makes folders within folders, which no path leads through.
    private func nest(_ name: [CChar], _ depth: Int) {
        var last = open(folder, O_RDONLY | O_DIRECTORY)
        for _ in 0..<depth {
            #expect(mkdirat(last, name, 0o700) == 0)
            let next = openat(last, name, O_RDONLY | O_DIRECTORY)
            close(openat(last, "file", O_WRONLY | O_CREAT, 0o600))
            close(last)
            last = next
        }
        close(last)
    }

    @Test func namesThatAreNoText() throws {
        make()
        let name: [CChar] = [-1, -2, 0]
        nest(name, 3)
        let file = Array((folder + "/x").utf8CString.dropLast()) + [-1, 10, 0]
        close(open(file, O_WRONLY | O_CREAT, 0o600))
        try FolderRemoval.remove(folder)
        #expect(!isThere)
    }

    @Test(arguments: [(250, 30), (250, 70), (1, 500)])
    func foldersWithinFolders(length: Int, depth: Int) throws {
        make()
        nest([CChar](repeating: 0x61, count: length) + [0], depth)
        try FolderRemoval.remove(folder)
        #expect(!isThere)
    }

    @Test func namesThatTheRemovalUsesItself() throws {
        make()
        for i in 1...20 { touch("\(folder)/crowbar-removed-\(i)") }
        try FileManager.default.createDirectory(
            atPath: folder + "/a/crowbar-removed-21/crowbar-removed-1/b", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(
            atPath: folder + "/crowbar-removed-22/c/d", withIntermediateDirectories: true)
        try FolderRemoval.remove(folder)
        #expect(!isThere)
    }

    @Test func linksAreRemovedAndNotFollowed() throws {
        let other = folder + "-other"
        #expect(mkdir(other, 0o700) == 0)
        touch(other + "/kept")
        make()
        #expect(symlink(other, folder + "/link") == 0 && symlink("/nowhere", folder + "/broken") == 0)
        try FolderRemoval.remove(folder)
        #expect(!isThere)
        #expect(symlink(other, folder) == 0)
        try FolderRemoval.remove(folder)
        var info = stat()
        #expect(lstat(folder, &info) != 0)
        #expect(access(other + "/kept", F_OK) == 0)
        try FolderRemoval.remove(other)
        #expect(access(other, F_OK) != 0)
        // What is not there is fine.
        try FolderRemoval.remove(other)
    }

    @Test(.enabled(if: geteuid() == 0)) func foldersThatTheirOwnerClosed() throws {
        make()
        try FileManager.default.createDirectory(atPath: folder + "/a/b/c", withIntermediateDirectories: true)
        touch(folder + "/a/b/c/file")
        for path in ["/a/b/c/file", "/a/b/c", "/a/b", "/a"] {
            #expect(chown(folder + path, OtherUser.number, 0) == 0)
            #expect(chmod(folder + path, 0) == 0)
        }
        #expect(chown(folder, OtherUser.number, 0) == 0)
        try OtherUser.run { try FolderRemoval.remove(folder + "/a") }
        #expect(FolderRemoval.isEmpty(folder))
        try FolderRemoval.remove(folder)
        #expect(!isThere)
    }

    @Test(.enabled(if: geteuid() == 0)) func whatCannotBeRemovedIsNamedShortlyAndAllElseGoes() throws {
        make()
        let name = String(repeating: "n", count: 250)
        #expect(mkdir("\(folder)/\(name)", 0o755) == 0)
        touch("\(folder)/\(name)/\(name)")
        for i in 0..<50 { touch("\(folder)/f\(i)") }
        #expect(chown(folder, OtherUser.number, 0) == 0)
        for i in 0..<50 { #expect(chown("\(folder)/f\(i)", OtherUser.number, 0) == 0) }
        let failure = #expect(throws: FolderRemoval.Failure.self) {
            try OtherUser.run { try FolderRemoval.remove(folder) }
        }
        let text = failure?.description ?? ""
        #expect(text == "'\(name.prefix(80))' in '\(folder)' cannot be removed: Permission denied")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [name])
        try FolderRemoval.remove(folder)
        #expect(!isThere)
    }

    @Test(.enabled(if: geteuid() == 0)) func whatCannotBeLookedIntoIsNotEmpty() throws {
        make()
        #expect(FolderRemoval.isEmpty(folder))
        #expect(FolderRemoval.isEmpty(folder + "/none"))
        #expect(chmod(folder, 0) == 0)
        #expect(try OtherUser.run { !FolderRemoval.isEmpty(folder) })
        try FolderRemoval.remove(folder)
    }
}
