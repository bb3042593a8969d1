import CrowbarTesting
import Glibc
import Testing

/// The tutorials, followed step by step with the real programs.
@Suite(.serialized) struct TutorialTests {
    private static let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()

    /// Every file of the folder is here, so that a new tutorial is followed too.
    @Test func everyTutorialIsFollowed() {
        let folder = CommandLineFolder()
        let files = folder.program("ls", Self.root + "/docs/tutorials").output.split(separator: "\n").map(String.init)
        #expect(files.sorted() == Self.tutorials.sorted())
    }

    static let tutorials = [
        "first-plugin.md", "first-ten-minutes.md", "libera.md", "private-channel.md", "publish-views.md",
        "slack-and-discord.md",
    ]

    @Test(arguments: tutorials) func aTutorialDoesWhatItSays(_ tutorial: String) throws {
        let binary = CommandLineFolder.binary
        let outcome = CommandLineFolder().program(
            "/usr/bin/env", "python3", Self.root + "/Tests/EndToEndTests/tutorial.py",
            Self.root + "/docs/tutorials/" + tutorial, String(binary.dropLast("/crowbar".count)),
            "\(try LoopbackPort.free())", "\(try LoopbackPort.free())")
        #expect(outcome.status == 0 && outcome.output.hasSuffix("done\n"), "\(outcome.output)\(outcome.error)")
    }
}
