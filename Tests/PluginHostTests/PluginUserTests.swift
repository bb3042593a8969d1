import CrowbarTesting
import Foundation
import JSONBytes
import Testing

@testable import PluginHost

/// Users of plugins' own: which numbers they get, and what they could not open.
@Suite struct PluginUserTests {
    @Test(
        arguments: [
            ("61184-65519", 61_184...65_519), ("1-1", 1...1), ("0-5", nil), ("5-1", nil), ("5", nil), ("", nil),
            ("-", nil),
            ("a-b", nil), ("1-2-3", nil), ("1 - 2", nil), ("1-2147483647", nil), ("-1-5", nil), ("1-99999999999", nil),
        ] as [(String, ClosedRange<UInt32>?)])
    func aRangeIsTwoNumbers(text: String, range: ClosedRange<UInt32>?) {
        #expect(PluginUsers.range(text) == range)
    }

    @Test(
        arguments: [
            ("", [:]), ("5 a\n6 b\n", ["a": 5, "b": 6]), ("5 a\n7 a\n", ["a": 7]), ("5 a\n6 b", ["a": 5]),
            ("x a\n5\n\n 5 a b\n-1 c\n6 d\n", ["d": 6]),
        ] as [(String, [String: UInt32])])
    func theFileIsReadLineByLine(text: String, numbers: [String: UInt32]) {
        #expect(PluginUsers.read(Array(text.utf8)) == numbers)
    }

    @Test func theNextNumberThatIsFreeIsGiven() {
        #expect(PluginUsers.free(in: 5...8, from: 5, known: [5, 7], isTaken: { $0 == 6 }) == 8)
        #expect(PluginUsers.free(in: 5...8, from: 7, known: [7, 8], isTaken: { $0 == 5 }) == 6)
        #expect(PluginUsers.free(in: 5...6, from: 6, known: [5], isTaken: { $0 == 6 }) == nil)
    }

    /// Data folders, and where they begin in a range.
    @Test func dataFoldersBeginFarFromEachOther() {
        let range = PluginUsers.usualRange
        func starts() -> [UInt32] {
            (UInt64(0)..<100).map { PluginUsers.start(in: range, device: 2049, file: 1000 + $0) }
        }
        #expect(starts().allSatisfy(range.contains) && Set(starts()).count > 90)
        #expect(starts() == starts())
        #expect(PluginUsers.start(in: 7...7, device: 1, file: 1) == 7)
    }

    @Test(.enabled(if: geteuid() == 0)) func aNumberThatProcessesHaveIsNotOffered() async throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/setpriv")
        process.arguments = ["--reuid=900101", "--clear-groups", "/bin/sleep", "1000"]
        try process.run()
        // A SIGTERM may be blocked: children inherit what the test run blocks.
        defer { kill(process.processIdentifier, SIGKILL) }
        try await wait("the process of user 900101") {
            let status = (try? FileBytes.read("/proc/\(process.processIdentifier)/status", limit: 16 << 10)) ?? []
            return String(decoding: status, as: UTF8.self).contains("\nUid:\t900101\t")
        }
        let file = FileManager.default.temporaryDirectory.appending(path: "crowbar-users-\(UUID().uuidString)").path
        let users = PluginUsers(range: 900_101...900_102, isRequired: true, file: file, start: 900_101)
        #expect(try users.number(of: "x").number == 900_102)
    }

    /// A check, which starts plugins one after another, names the numbers that a server gives, which starts them side
    /// by side.
    @Test func theNumbersDoNotDependOnWhoStartsFirst() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "crowbar-users-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let manifests = ["c", "a", "b", "off"].map { name in
            var manifest = Manifest(name: name, file: name + ".toml", command: ["x"])
            manifest.isEnabled = name != "off"
            return manifest
        }
        func numbers(_ order: [String], file: String) throws -> [String: UInt32] {
            let users = PluginUsers(range: 910_001...910_999, isRequired: true, file: file, folder: folder)
            users.expect(manifests)
            var numbers: [String: UInt32] = [:]
            for name in order {
                let number = try users.number(of: name)
                #expect(users.words(number) == "\(number.number)")
                numbers[name] = number.number
                // A server keeps what it gives.
                if file.hasPrefix(folder) { try users.keep(number.number, for: name) }
            }
            return numbers
        }
        let elsewhere = FileManager.default.temporaryDirectory.appending(path: "crowbar-\(UUID().uuidString)").path
        let checked = try numbers(["a", "b", "c", "off"], file: elsewhere)
        let served = try numbers(["c", "b", "a"], file: folder + "/plugin-users")
        for name in ["a", "b", "c"] { #expect(checked[name] == served[name], "\(name): \(checked), \(served)") }
        #expect(Set(checked.values).count == 4)
        // Before there is a data folder nobody knows.
        let unknown = PluginUsers(range: 910_001...910_999, isRequired: true, file: elsewhere, folder: elsewhere)
        let words = unknown.words(try unknown.number(of: "a"))
        #expect(words.contains("follows from the data folder, which is not there yet"), "\(words)")
    }

    /// Plugins that start for the first time at once: none is refused because another one has its number.
    @Test func pluginsThatStartAtOnceGetNumbersOfTheirOwn() async throws {
        let folder = try TemporaryFolder()
        let file = folder.file("plugin-users")
        let users = PluginUsers(range: 920_001...920_999, isRequired: true, file: file, start: 920_001)
        let numbers = try await withThrowingTaskGroup(of: UInt32.self) { group in
            for index in 0..<200 {
                group.addTask {
                    let number = try users.number(of: "plugin\(index)").number
                    try users.keep(number, for: "plugin\(index)")
                    return number
                }
            }
            return try await group.reduce(into: Set<UInt32>()) { $0.insert($1) }
        }
        #expect(numbers.count == 200)
        #expect(PluginUsers.read(try FileBytes.read(file, limit: 1 << 20)).count == 200)
    }

    @Test func aPluginKeepsItsNumber() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "crowbar-users-\(UUID().uuidString)").path
        defer { unlink(file) }
        func give(_ name: String, _ range: ClosedRange<UInt32>) throws -> UInt32 {
            let users = PluginUsers(range: range, isRequired: true, file: file, start: range.lowerBound)
            let offered = try users.number(of: name)
            // What is only offered is nobody's yet.
            #expect(try users.number(of: name) == offered)
            try users.keep(offered.number, for: name)
            let kept = try users.number(of: name)
            #expect(kept == .init(number: offered.number, isKept: true, hasHadOne: true))
            return offered.number
        }
        #expect(try give("a", 900_001...900_003) == 900_001)
        #expect(try give("b", 900_001...900_003) == 900_002)
        #expect(try give("a", 900_001...900_003) == 900_001)
        // A line that a crash has cut off is no number, and does not spoil the next one.
        try String("900001 a\n900002 b\n9000").write(toFile: file, atomically: true, encoding: .utf8)
        #expect(try give("c", 900_001...900_003) == 900_003)
        #expect(try give("c", 900_001...900_003) == 900_003)
        #expect(throws: PluginUsers.Failure.self) { try give("d", 900_001...900_003) }
        // Two that start side by side are offered different ones.
        let both = PluginUsers(range: 900_001...900_009, isRequired: true, file: file, start: 900_001)
        let (first, second) = (try both.number(of: "x").number, try both.number(of: "y").number)
        #expect((first, second) == (900_004, 900_005))
        // Another range: another number, from then on.
        let offered = try PluginUsers(range: 900_010...900_011, isRequired: false, file: file, start: 900_010)
            .number(of: "b")
        #expect(offered == .init(number: 900_010, isKept: false, hasHadOne: true))
        #expect(try give("a", 900_010...900_011) == 900_010)
        #expect(try give("a", 900_010...900_011) == 900_010)
    }

    @Test(
        arguments: [
            ("         0          0 4294967295", true), ("0 100000 65536", true), ("0 0 1\n1 100000 65535", true),
            ("0 1000 1", false), ("0 1000 61184", false), ("", false), ("x", false),
        ])
    func aContainerMayNotHaveTheNumber(map: String, has: Bool) {
        #expect((PluginUsers.obstacle(to: 61_184, maps: [map, map]) == nil) == has)
        #expect((PluginUsers.obstacle(to: 61_184, maps: ["0 0 4294967295", map]) == nil) == has)
    }

    /// User, effective and ambient capabilities; what is missing or kept, and whether "auto" tries.
    @Test(
        arguments: [
            ("0", "000001ffffffffff", "0000000000000000", nil, true),
            ("0", "00000000a80425fb", "0000000000000000", nil, true),
            ("0", "00000000000000e1", "0000000000000000", nil, true),
            ("0", "00000000000000c1", "0000000000000000", "as root, lacks CAP_KILL", true),
            ("0", "00000000000000e0", "0000000000000000", "as root, lacks CAP_CHOWN", true),
            ("0", "0000000000000000", "0", "lacks CAP_CHOWN, CAP_KILL, CAP_SETGID, CAP_SETUID", true),
            ("1000", "00000000000000e1", "00000000000000e1", nil, true),
            ("1000", "000001ffffffffff", "000001ffffffffff", nil, true),
            ("1000", "0000000000000000", "0000000000000000", "user 1000, lacks CAP_CHOWN, CAP_KILL, CAP_SETG", false),
            // Others than those needed change nothing.
            ("1000", "0000000000000400", "0000000000000400", "user 1000, lacks CAP_CHOWN, CAP_KILL, CAP_SETG", false),
            ("1000", "00000000000000c1", "00000000000000c1", "user 1000, lacks CAP_KILL", true),
            ("1000", "0000000000000061", "0000000000000061", "user 1000, lacks CAP_SETUID", true),
            ("1000", "00000000000000a1", "00000000000000a1", "user 1000, lacks CAP_SETGID", true),
            ("1000", "00000000000000e1", "0000000000000000", "has CAP_CHOWN, CAP_KILL, CAP_SETGID, CAP_SETUID,", true),
            ("1000", "00000000000000e1", "00000000000000c1", "has CAP_KILL, but not as ambient", true),
            // Nothing but what is in effect counts: ambient ones cannot be there without, nor nonsense.
            ("1000", "", "00000000000000e1", "lacks CAP_CHOWN", false), ("1000", "x", "x", "lacks CAP_CHOWN", false),
            ("", "00000000000000e1", "", "has CAP_CHOWN", true),
        ] as [(String, String, String, String?, Bool)])
    func usersTakeCapabilitiesNotRoot(
        user: String, effective: String, ambient: String, obstacle: String?, isExpected: Bool
    ) {
        let rights = UserRights(
            status: "Name:\tx\nUid:\t7\t\(user)\t7\t7\nCapPrm:\t000001ffffffffff\nCapEff:\t\(effective)\n"
                + "CapBnd:\t000001ffffffffff\nCapAmb:\t\(ambient)\nSeccomp:\t0\n")
        let found = rights.obstacle
        #expect(obstacle.map { found?.contains($0) == true } ?? (found == nil), "\(found ?? "nothing")")
        #expect(rights.isExpected == isExpected)
    }

    /// A folder with files of all kinds, by what of it user 900,001 cannot use.
    @Test(
        arguments: [
            ("bin/run", "", nil), ("bin/closed", "", "'ROOT/bin/closed' is closed to it (mode 0700)"),
            ("private/run", "", "'ROOT/private/run' is out of its reach: the folder 'ROOT/private' is"),
            ("bin/script", "", "the folder 'ROOT/private' is closed to it (mode 0700)"),
            ("bin/byname", "", "the folder 'ROOT/private' is closed to it (mode 0700)"),
            ("bin/link", "", "the folder 'ROOT/private' is closed to it (mode 0700)"),
            ("bin/run", "args = \"ROOT/bin/key\"", "'ROOT/bin/key' is closed to it (mode 0600)"),
            ("bin/run", "config = \"ROOT/bin/key\"", "'ROOT/bin/key' is closed to it (mode 0600)"),
            // The host reads secrets itself.
            ("bin/run", "secret = \"ROOT/bin/key\"", nil),
            ("bin/run", "config = \"ROOT/none\"", nil), ("bin/run", "config = \"ROOT/hidden/key\"", nil),
            ("bin/run", "read = \"ROOT/private\"", "'ROOT/private' is closed to it (mode 0700)"),
            ("bin/run", "write = \"ROOT/bin\"", "'ROOT/bin' is closed to it (mode 0755)"),
        ] as [(String, String, String?)])
    func whatItsUserCannotOpenIsNamed(program: String, key: String, obstacle: String?) throws {
        let root = FileBytes.resolved("/tmp") + "/crowbar-reach-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        for folder in ["", "/bin", "/private", "/hidden"] { mkdir(root + folder, 0o755) }
        let files = [
            ("bin/run", "", 0o755), ("bin/closed", "", 0o700), ("private/run", "", 0o755),
            ("bin/script", "#!\(root)/private/run\n", 0o755), ("bin/byname", "#!/usr/bin/env run\n", 0o755),
            ("bin/key", "", 0o600), ("hidden/key", "", 0o600),
        ]
        for (name, text, mode) in files {
            try text.write(toFile: "\(root)/\(name)", atomically: false, encoding: .utf8)
            chmod("\(root)/\(name)", mode_t(mode))
        }
        symlink("\(root)/private/run", "\(root)/bin/link")
        chmod(root + "/private", 0o700)
        var manifest = Manifest(name: "x", file: "x.toml", command: ["\(root)/\(program)"])
        let words = key.replacingOccurrences(of: "ROOT", with: root).split(separator: "\"").map(String.init)
        if key.hasPrefix("args") { manifest.command.append(words[1]) }
        if key.hasPrefix("config") { manifest.config = .object([.init("a", .array([.string(words[1])]))]) }
        if key.hasPrefix("secret") {
            manifest.config = .object([.init("a", .object([.init("file", .string(words[1]))]))])
        }
        if key.hasPrefix("read") { manifest.sandbox = .init(read: [words[1]]) }
        if key.hasPrefix("write") { manifest.sandbox = .init(write: [words[1]]) }
        let reach = UserReach(number: 900_001, path: "\(root)/none:\(root)/private")
        let hidden = [root + "/hidden"]
        let toRun = reach.obstacle(manifest, toRun: manifest.command[0], outside: ["/"], hidden: hidden)
        // What a plugin could close itself does not decide which user it gets.
        let isBeside = ["config", "read", "write"].contains { key.hasPrefix($0) }
        #expect(!isBeside || toRun == nil)
        let found = toRun ?? reach.closed(manifest, hidden: hidden)
        guard let obstacle else {
            #expect(found == nil)
            return
        }
        #expect(found?.contains(obstacle.replacingOccurrences(of: "ROOT", with: root)) == true, "\(found ?? "nothing")")
    }

    @Test func whatLiesInTheDataFolderIsRefusedWithItsReason() throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let data = FileBytes.resolved(scenario.folder.path) + "/plugins"
        for folder in [data, data + "/x", data + "/other"] { mkdir(folder, 0o700) }
        for name in ["x/run", "other/run"] {
            try "#!/bin/sh\n".write(toFile: "\(data)/\(name)", atomically: false, encoding: .utf8)
            chmod("\(data)/\(name)", 0o755)
        }
        let factory = SessionFactory(name: "x", environment: scenario.environment, lines: nil)
        func refusal(_ command: [String], _ sandbox: Manifest.Sandbox? = nil) -> String? {
            var manifest = Manifest(name: "x", file: "x.toml", command: command)
            manifest.sandbox = sandbox
            do throws(SessionFactory.Refusal) {
                _ = try factory.isolated(manifest, program: command[0], variables: [:])
                return nil
            } catch {
                return error.reason
            }
        }
        #expect(refusal(["/bin/sh"]) == nil)
        #expect(refusal([data + "/x/run", data + "/x/run"], .init(read: [data + "/x"], write: [data + "/x"])) == nil)
        let reason = "lies in the data folder '\(data)', which no plugin reaches but for its own folder; move it"
        #expect(refusal([data + "/other/run"])?.contains("x.toml: command: '\(data)/other/run' \(reason)") == true)
        #expect(refusal(["/bin/sh", data + "/other/run"])?.contains(reason) == true)
        #expect(refusal(["/bin/sh"], .init(read: [data]))?.contains("sandbox.read: '\(data)' \(reason)") == true)
        #expect(refusal(["/bin/sh"], .init(write: [data + "/other"]))?.contains("sandbox.write") == true)
    }
}
