import CrowbarPage
import CrowbarTesting
import Glibc
import Testing

/// The web page in a real Chromium against the real server. Each script in `Browser` starts a server of its own, and
/// fails on a console error and on a violation of the content security policy.
@Suite(.serialized) struct PageIntegrationTests {
    private static let folder = String(#filePath.dropLast("PageIntegrationTests.swift".count))

    /// The binaries, beside the test bundle.
    private static var binaries: String {
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let own = String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? own
        return String(bundle[..<(bundle.lastIndex(of: "/") ?? bundle.endIndex)])
    }

    @Test func twoPeopleTalk() async throws { try await run("chat") }
    @Test func twoPeopleAndOneOnIRCTalkOverARestart() async throws { try await run("conversation") }
    @Test func theFoldIsTheServers() async throws { try await run("fold") }
    @Test func theListIsBoundedAndDoesNotJump() async throws { try await run("list") }
    @Test func nothingIsLostOrDoubledInAnOutage() async throws { try await run("outage") }
    @Test func whatIsReadIsAlikeOnAllDevices() async throws { try await run("devices") }
    @Test func tabsShareASession() async throws { try await run("sessions") }
    @Test func accountsWorkInTheBrowserAlone() async throws { try await run("accounts") }
    @Test func administratorsManageAccountsAndTheServer() async throws { try await run("administration") }
    @Test func aProviderWithoutCORSSignsIn() async throws { try await run("oidc") }
    @Test func anExportIsServedFromElsewhere() async throws { try await run("static") }
    @Test func everyScreenIsAccessible() async throws { try await run("screens") }
    @Test func motionThemesAndTargetsAreAsAskedFor() async throws { try await run("appearance") }
    @Test func theAnnouncerSaysWhatItShould() async throws { try await run("announcer") }
    @Test func theChatWorksByKeyboard() async throws { try await run("keyboard_chat") }
    @Test func theConsoleWorksByKeyboard() async throws { try await run("keyboard_console") }
    @Test func anOperatorRedrivesDeadLetters() async throws { try await run("console") }
    @Test func deadLettersOfPrivateChannelsAndManyOfThem() async throws { try await run("dead_letters") }
    @Test func replaysEnd() async throws { try await run("replays") }
    @Test func hostileContentStaysTextInTheChat() async throws { try await run("injection") }
    @Test func hostileContentStaysTextInTheConsole() async throws { try await run("injection_console") }
    @Test func theChecksFindWhatTheyShould() async throws { try await run("checks") }
    @Test func thePicturesOfTheDocumentationAreMade() async throws { try await run("pictures") }

    /// A script that no test runs proves nothing.
    @Test func everyScriptIsRun() throws {
        let source = try text(of: Self.folder + "PageIntegrationTests.swift")
        let stream = try #require(opendir(Self.folder + "Browser"))
        defer { closedir(stream) }
        var count = 0
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasSuffix(".py") else { continue }
            count += 1
            #expect(source.contains("run(\"\(name.dropLast(3))\")"), "no test runs \(name)")
        }
        #expect(count > 10)
    }

    /// The text of a file.
    private func text(of path: String) throws -> String {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// Runs a script to its end.
    private func run(_ script: String) async throws {
        let root = Self.folder + "../../"
        let process = try LineProcess(
            root + ".build/test-python/bin/python",
            arguments: [
                "-B", Self.folder + "Browser/\(script).py", Self.binaries + "/crowbar", "\(try LoopbackPort.free())",
            ],
            environment: ["PATH=/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8"])
        let end = try await process.end(within: .seconds(900))
        let output = process.unread.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
        #expect(end == .exited(0), "\(script).py:\n\(output)\n\(process.standardError)")
    }

    /// Bytes of the files that the sign-in and the chat load, and of all: they are read by people and sent as they are.
    @Test func thePageIsSmall() {
        let sizes = PageFiles.all.map { (path: $0.path, bytes: $0.text.utf8CodeUnitCount) }
        let all = sizes.reduce(0) { $0 + $1.bytes }
        let index = PageFiles.all.first { $0.path == "index.html" }.map { "\($0.text)" } ?? ""
        let first = sizes.filter { $0.path == "index.html" || index.contains("/\($0.path)\"") }
        let bytes = first.reduce(0) { $0 + $1.bytes }
        #expect(first.contains { $0.path == "chat/message-list.js" } && first.contains { $0.path == "base.css" })
        #expect(bytes <= 120 << 10, "the first screen has \(bytes) bytes; at most \(120 << 10)")
        // docs/decisions/0124-the-size-of-the-console.md
        let console = sizes.filter { $0.path.hasPrefix("console/") }.reduce(0) { $0 + $1.bytes }
        #expect(all - console <= 240 << 10, "the page has \(all - console) bytes; at most \(240 << 10)")
        #expect(console <= 56 << 10, "the console has \(console) bytes; at most \(56 << 10)")
    }
}
