import Foundation
import Glibc
import JSONBytes
import Testing

/// The plugins of `examples/`, run by the real program.
@Suite(.serialized) struct ExampleTests {
    private static let examples = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../examples").standardizedFileURL.path

    private func manifest(_ folder: CommandLineFolder, _ config: String) {
        folder.write(
            "plugins.d/word-filter.toml",
            "command = [\"\(Self.examples)/word_filter.py\"]\nphase = \"command\"\non_failure = \"refuse\"\n"
                + "types = [\"SEND_MESSAGE\", \"EDIT_MESSAGE\", \"SET_TOPIC\"]\n[config]\n\(config)\n")
    }

    private func prepare(_ config: String) -> CommandLineFolder {
        let folder = CommandLineFolder()
        folder.makeFolder("plugins.d")
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        manifest(folder, config)
        return folder
    }

    /// What `crowbar plugins show` says under a name.
    private func shown(_ folder: CommandLineFolder, _ key: String) -> JSON? {
        let plugin = try? JSON(parsing: Array(folder.crowbar("plugins", "show", "word-filter", "--json").output.utf8))
        return plugin?[key]
    }

    @Test func theWordFilterHidesThenRefuses() throws {
        let folder = prepare("words = [\"darn\"]")
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.poll { shown(folder, "state") == .string("live") })
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        let tail = try #require(folder.start(["events", "tail"], "tail"))
        defer {
            kill(tail, SIGKILL)
            _ = CommandLineFolder.wait(tail)
        }
        // The tail begins with what comes after it: said again until it is seen.
        #expect(
            folder.poll {
                _ = folder.crowbar("send", "general", "is anybody there?")
                return !folder.read("tail.out").isEmpty
            })
        let sent = folder.crowbar("send", "general", "well, Darn it")
        #expect(sent.status == 0, "\(sent.error)")
        #expect(folder.poll { folder.read("tail.out").contains("well, **** it") })
        let record = #""checks":[{"plugin":"word-filter","verdict":"changed","fields":["message"]}]"#
        #expect(folder.read("tail.out").contains(record))

        manifest(folder, "words = [\"darn\"]\naction = \"refuse\"")
        var refused = sent
        #expect(
            folder.poll {
                refused = folder.crowbar("send", "general", "darn")
                return refused.status == 1
            })
        #expect(refused.error.contains("refused by the plugin 'word-filter': 'darn' is not said here (word)"))
        #expect(folder.crowbar("send", "general", "fine words").status == 0)
        // What does not work is told, and the old configuration goes on.
        manifest(folder, "words = []")
        #expect(folder.poll { shown(folder, "reason")?.string?.contains("must be a list of words") == true })
        #expect(folder.crowbar("send", "general", "darn").status == 1)
        #expect(folder.crowbar("plugins", "stop", "word-filter").status == 0)
        #expect(folder.crowbar("send", "general", "darn").status == 0)
    }
}
