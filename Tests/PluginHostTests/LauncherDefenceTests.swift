import CrowbarTesting
import Foundation
import JSONBytes
import PluginWire
import Testing

@testable import PluginHost

/// What a manifest or a plugin could do to the launcher itself, which begins with the server's rights.
@Suite(.serialized) struct LauncherDefenceTests {
    /// A library that notes in which program it is loaded, as a preloaded one and as one that audits.
    private static let library = """
        #include <stdio.h>
        #include <unistd.h>
        unsigned la_version(unsigned version) { return version; }
        __attribute__((constructor)) static void begin(void) {
            char program[256] = "";
            FILE *notes = fopen(NOTES, "a");
            if (notes == NULL || readlink("/proc/self/exe", program, sizeof program - 1) < 0) return;
            fprintf(notes, "%s\\n", program);
            fclose(notes);
        }
        """

    private func run(_ program: String, _ arguments: [String]) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    @Test(arguments: ["LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH"])
    func variablesOfAManifestReachThePluginAndNotTheLauncher(_ name: String) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let notes = scenario.folder.appending(path: "notes").path
        var value = scenario.folder.path
        let canCompile = access("/usr/bin/cc", X_OK) == 0 && name != "LD_LIBRARY_PATH"
        if canCompile {
            let source = scenario.folder.appending(path: "library.c").path
            value += "/library.so"
            try Self.library.write(toFile: source, atomically: true, encoding: .utf8)
            let options = ["-shared", "-fPIC", "-DNOTES=\"\(notes)\"", "-o", value, source]
            #expect(try run("/usr/bin/cc", options) == 0)
        }
        try scenario.addProber("x", "[env.set]\n\(name) = \"\(value)\"\nOTHER = \"a=b c\"", config: "")
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["x"]?.state == "live" }
            let pid = try #require(try await scenario.states(host)["x"]?.pid)
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let parent = try #require(status.split(separator: "\n").first { $0.hasPrefix("PPid:") })
            let launcher = parent.dropFirst(5).trimmingCharacters(in: .whitespaces)
            #expect(try String(contentsOfFile: "/proc/\(launcher)/comm", encoding: .utf8) == "crowbar-launch\n")
            if geteuid() == 0 {
                let environment = try Data(contentsOf: URL(filePath: "/proc/\(launcher)/environ"))
                #expect(environment.isEmpty)
                let own = String(decoding: try Data(contentsOf: URL(filePath: "/proc/\(pid)/environ")), as: UTF8.self)
                let variables = own.split(separator: "\0")
                #expect(variables.contains("\(name)=\(value)") && variables.contains("OTHER=a=b c"))
                #expect(variables.contains { $0.hasPrefix("HOME=") } && variables.contains { $0.hasPrefix("PATH=") })
            }
            let line = String(decoding: try Data(contentsOf: URL(filePath: "/proc/\(launcher)/cmdline")), as: UTF8.self)
            // Folders that it hides are there, and may lie below the value.
            #expect(!line.contains(name) && !line.contains("a=b c"))
        }
        guard canCompile else { return }
        let programs = try String(contentsOfFile: notes, encoding: .utf8).split(separator: "\n")
        #expect(!programs.isEmpty)
        #expect(!programs.contains { $0.contains("crowbar-launch") }, "\(programs)")
    }

    @Test func variablesAreCutAtANul() {
        #expect(PluginProcess.variableBytes([:]) == [])
        #expect(PluginProcess.variableBytes(["A": "b"]) == Array("A=b\0".utf8))
        #expect(PluginProcess.variableBytes(["A": "b\0LD_PRELOAD=c"]) == Array("A=b\0".utf8))
    }

    /// How a plugin that is described by a manifest ends.
    private func end(_ scenario: HostScenario, _ change: (inout Manifest) -> Void) async throws -> RestartPolicy.End {
        var manifest = Manifest(name: "x", file: scenario.folder.path + "/x.toml", command: ["/bin/false"])
        change(&manifest)
        let factory = SessionFactory(name: "x", environment: scenario.environment, lines: nil)
        let session = try await factory.make(manifest, purpose: .check, status: SessionStatus(), mailbox: Mailbox())
        return await session.run().end
    }

    @Test(arguments: ["fork: Cannot allocate memory", "limit: 99 processes", "cannot start a process: no room"])
    func aPluginCannotForgeTheLaunchersReport(_ report: String) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        // By all that it knows, on every descriptor that it may have.
        let script = """
            import json, os, sys
            session = json.loads(sys.stdin.readline())["session"]
            launcher = open(f"/proc/{os.getppid()}/cmdline").read().split("\\0")
            for mark in ["", "crowbar-launch: "] + [f"crowbar-launch {word}: " for word in [session] + launcher]:
                os.write(2, (mark + sys.argv[1] + "\\n").encode())
                for number in range(3, 20):
                    for path in (f"/proc/self/fd/{number}", f"/proc/{os.getppid()}/fd/{number}"):
                        try:
                            os.write(os.open(path, os.O_WRONLY), (sys.argv[1] + "\\n").encode())
                        except OSError:
                            pass
            sys.exit(3)
            """
        let end = try await end(scenario) {
            $0.command = [HostScenario.python.program, "-c", script, report]
        }
        guard case .crashed(let reason) = end else {
            Issue.record("\(end)")
            return
        }
        #expect(reason.hasPrefix("exit status 3; its last line: "), "\(reason)")
        #expect(scenario.lines.all.contains { $0.contains(report) && $0.contains("stderr") })
    }

    @Test func theLaunchersReportIsMasked() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let secret = "s3cret-\(UUID().uuidString)"
        // The report names a path that is not there, which only Landlock looks for.
        guard await SandboxSupport.probe(launcher: scenario.environment.launcher).landlock > 0 else { return }
        try (secret + "\n").write(toFile: scenario.folder.path + "/key", atomically: true, encoding: .utf8)
        let file = JSON.object([.init("file", .string(scenario.folder.path + "/key"))])
        let end = try await end(scenario) {
            $0.command = [HostScenario.products + "/crowbar-launch"]
            $0.sandbox = .init(network: false, read: ["/none/" + secret], write: [], require: false)
            $0.config = .object([.init("key", file)])
        }
        guard case .failed(let reason) = end else {
            Issue.record("\(end)")
            return
        }
        #expect(reason.contains("[sandbox] read:") && !reason.contains(secret), "\(reason)")
    }

    @Test(arguments: [5_000_000, 200_000])
    func moreVariablesThanAProgramCanHaveAreTheReason(size: Int) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let end = try await end(scenario) { $0.environment = ["A": String(repeating: "a", count: size)] }
        guard case .failed(let reason) = end else {
            Issue.record("\(end)")
            return
        }
        #expect(reason.contains("Argument list too long"), "\(reason)")
        #expect(reason.contains("cannot read the plugin's variables") == (size > 4 << 20), "\(reason)")
    }
}

/// What a launcher that is root keeps from a plugin, however that would come to it.
@Suite(.serialized, .enabled(if: geteuid() == 0 && access("/usr/bin/python3", X_OK) == 0, "needs root and python3"))
struct LauncherMountTests {
    private static let launcher = HostScenario.products + "/crowbar-launch"

    /// Starts a plugin in mounts of the test's own, in a folder `own` of the hidden `data`, with `python` in it, and
    /// returns all that is printed.
    private func run(_ folder: String, _ options: [String], plugin: String, then host: String) throws -> String {
        let script = """
            import os, subprocess, sys
            folder, launcher, plugin, *options = sys.argv[1:]
            def mount(*arguments):
                subprocess.run(["mount", *arguments], check=True)
            for name in ("shared", "data", "data/own"):
                os.mkdir(folder + "/" + name)
            open(folder + "/data/key", "w").write("secret")
            mount("-t", "tmpfs", "none", folder + "/shared")
            mount("--make-shared", folder + "/shared")
            os.mkdir(folder + "/shared/later")
            os.dup2(os.open("/dev/null", os.O_RDONLY), 3)
            os.dup2(1, 4)
            options = ["--hide=" + folder + "/data", *options, "--", "/usr/bin/python3", "-c", plugin, folder]
            child = subprocess.Popen(
                [launcher, str(os.getpid())] + options, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                pass_fds=(3, 4), cwd=folder + "/data/own")
            sys.stdout.write(child.stdout.readline())
            \(host)
            print(child.communicate("go\\n")[0])
            """
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/unshare")
        process.arguments = ["--mount", "/usr/bin/python3", "-c", script, folder, Self.launcher, plugin] + options
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        // The launcher's last report goes the same way here.
        return text.replacingOccurrences(of: "ended\n", with: "")
    }

    /// Tells `begun`, waits for a line, and tries to read the key by each path.
    private func reader(_ paths: String) -> String {
        """
        import sys
        print("begun", flush=True)
        sys.stdin.readline()
        for path in (\(paths)):
            try:
                print(path.replace(sys.argv[1], ""), open(path.replace("DATA", sys.argv[1] + "/data")).read())
            except OSError as error:
                print(path.replace(sys.argv[1], ""), type(error).__name__)
        """
    }

    @Test(arguments: [[], ["--sandbox", "--write=.", "--read=/"], ["--user=61200", "--group=61200"]])
    func whatTheMachineMountsLaterDoesNotShowWhatIsHidden(options: [String]) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "crowbar-mounts-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        chmod(folder, 0o755)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let found = try run(
            folder, options, plugin: reader("sys.argv[1] + '/shared/later/key', 'DATA/key', '/..DATA/key'"),
            then: "mount('--bind', folder + '/data', folder + '/shared/later'); os.chmod(folder + '/data/key', 0o644)")
        #expect(found.hasPrefix("begun\n/shared/later/key FileNotFoundError\n"), "\(found)")
        #expect(!found.contains("secret") && found.contains("DATA/key FileNotFoundError"), "\(found)")
    }

    @Test(arguments: ["/", "//", "/usr/..", "/proc/self/root", "LINK"])
    func theRootIsNoFolderToWrite(path: String) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "crowbar-mounts-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        symlink("/", folder + "/LINK")
        let path = path.replacingOccurrences(of: "LINK", with: folder + "/LINK")
        let found = try run(
            folder, ["--sandbox", "--write=.", "--write=" + path], plugin: reader("'/..DATA/key', 'DATA/key'"),
            then: "")
        let reason = "name the folders in [sandbox] write, not the root: \(path): Invalid argument"
        #expect(found.contains(reason), "\(found)")
        #expect(!found.contains("begun") && !found.contains("secret"), "\(found)")
    }
}
