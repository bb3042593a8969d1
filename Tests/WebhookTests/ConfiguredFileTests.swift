import Glibc
import PluginKit
import Testing

/// What is said of a file that a plugin's configuration names and that cannot be read.
@Suite struct ConfiguredFileTests {
    @Test(
        arguments: [
            (EACCES, true, "/x/ca.pem", "is not readable inside the sandbox; add it to [sandbox] read in the manifest"),
            (EPERM, true, "/x/ca.pem", "is not readable inside the sandbox; add it to [sandbox] read in the manifest"),
            (
                EACCES, false, "/x/ca.pem",
                "is not readable by user 61184, as which the plugin runs; change the mode or owner of the file, or of "
                    + "a folder above it (chmod, chown)"
            ),
            (ENOENT, false, "/x/ca.pem", "cannot be read: No such file or directory; check the path"),
            (ENOENT, false, "ca.pem", "cannot be read: No such file or directory; give its path from the root"),
            (ELOOP, false, "/x/ca.pem", "cannot be read: Too many levels of symbolic links"),
        ] as [(Int32, Bool, String, String)])
    func theReasonSaysWhatToDo(errno: Int32, isAllowedByMode: Bool, path: String, text: String) {
        let words = ConfiguredFile.words(path, errno: errno, isAllowedByMode: isAllowedByMode, user: 61184)
        #expect(words == "'\(path)' \(text)")
    }

    @Test func aFileThatCanBeReadHasNoProblem() {
        #expect(ConfiguredFile.problem(#filePath) == nil)
        #expect(ConfiguredFile.problem("/nonexistent/x")?.contains("No such file") == true)
    }
}
