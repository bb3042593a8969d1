import Foundation
import JSONBytes
import PluginHost
import Testing

/// The folder of plugins is followed while the host runs.
@Suite(.serialized) struct HotTests {
    @Test func filesComeChangeAndGo() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.hot("control")
        try await scenario.run { host in
            try await scenario.waitLive(host, "control")
            let pid = try await scenario.states(host)["control"]?.pid
            try scenario.hot("a", config: "tag = \"one\"")
            try await scenario.waitLive(host, "a")
            try await scenario.populate()
            try await scenario.send(["1"])
            try await wait("the first") { scenario.texts("a") == ["1"] }
            try scenario.hot("a", "enabled = false")
            try await wait("it to be off") { try await scenario.state(host, "a") == "stopped" }
            #expect(try await scenario.reason(host, "a") == "not enabled in its manifest")
            try await scenario.send(["2"])
            try scenario.hot("a", config: "tag = \"two\"")
            try await wait("what it missed") { scenario.texts("a") == ["1", "2"] }
            try FileManager.default.removeItem(at: scenario.manifest("a"))
            try await wait("its end") { try await scenario.state(host, "a") == "stopped" }
            #expect(try await scenario.reason(host, "a").contains("it has no manifest"))
            await #expect(throws: ControlRefusal.noManifest("a")) { try await host.act(.start, on: "a") }
            try await scenario.send(["3"])
            try scenario.hot("a", config: "tag = \"three\"")
            try await wait("its queue was kept") { scenario.texts("a") == ["1", "2", "3"] }
            try await wait("the control") { scenario.texts("control") == ["1", "2", "3"] }
            #expect(try await scenario.states(host)["control"]?.pid == pid)
        }
        #expect(scenario.tags("a") == ["one", "two", "three"])
    }

    @Test func aBrokenFileIsToldAndTheRunningPluginGoesOn() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.hot("a")
        try await scenario.run { host in
            try await scenario.waitLive(host, "a")
            try await scenario.populate()
            let pid = try await scenario.states(host)["a"]?.pid
            try "command = [\"x\"]\nwindow = \"many\"\n".write(
                to: scenario.manifest("a"), atomically: true, encoding: .utf8)
            try await wait("the report") { try await scenario.reason(host, "a").contains("a.toml:2: window: ") }
            #expect(try await scenario.state(host, "a") == "live")
            #expect(try await scenario.states(host)["a"]?.pid == pid)
            #expect(scenario.lines.all.contains { $0.contains("error") && $0.contains("a.toml:2: window: ") })
            try await scenario.send(["1"])
            try await wait("the message") { scenario.texts("a") == ["1"] }
            try scenario.hot("a")
            try await wait("the repair") { try await scenario.reason(host, "a").isEmpty }
            // As it was before: nothing is to be done.
            #expect(try await scenario.states(host)["a"]?.pid == pid)
            try "".write(to: scenario.manifest("new"), atomically: true, encoding: .utf8)
            try await wait("the new one's failure") { try await scenario.state(host, "new") == "failed" }
            try scenario.hot("new")
            try await scenario.waitLive(host, "new")
        }
    }

    @Test func aFileWrittenInPiecesIsReadWhole() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try await scenario.run { host in
            try await wait("the first look") { try await host.listing().array?.isEmpty == true }
            _ = FileManager.default.createFile(atPath: scenario.manifest("a").path, contents: Data("command = [".utf8))
            let file = try FileHandle(forWritingTo: scenario.manifest("a"))
            try file.seekToEnd()
            try file.write(contentsOf: Data("\"\(HostScenario.hot)\"]\n".utf8))
            try file.write(contentsOf: Data("[config]\ntag = \"whole\"\n".utf8))
            try file.close()
            try await scenario.waitLive(host, "a")
            #expect(!scenario.lines.all.contains { $0.contains("not in order") })
        }
    }

    @Test func theFolderItselfMayComeAndGo() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let folder = scenario.folder.appending(path: "plugins.d")
        let aside = scenario.folder.appending(path: "aside")
        try FileManager.default.removeItem(at: folder)
        try await scenario.run { host in
            #expect(try await host.listing().array?.isEmpty == true)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try scenario.hot("a")
            try await scenario.waitLive(host, "a")
            try FileManager.default.moveItem(at: folder, to: aside)
            try await wait("its end") { try await scenario.state(host, "a") == "stopped" }
            try FileManager.default.moveItem(at: aside, to: folder)
            try await scenario.waitLive(host, "a")
            try scenario.hot("b")
            try await scenario.waitLive(host, "b")
        }
    }

    @Test func onlyANewConfigurationIsToldToTheProcess() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        scenario.variables["HOT_SECRET"] = "squeamish"
        try scenario.hot("a", config: "reload = true\ntag = \"one\"")
        try await scenario.run { host in
            try await scenario.waitLive(host, "a")
            try await scenario.populate()
            let pid = try await scenario.states(host)["a"]?.pid
            try scenario.hot("a", config: "reload = true\ntag = { env = \"HOT_SECRET\" }")
            try await wait("the configuration") { scenario.seen("a").contains { $0["kind"]?.string == "config" } }
            try await scenario.send(["1"])
            try await wait("the message") { scenario.tags("a") == ["squeamish"] }
            try scenario.hot("a", config: "reload = true\ntag = \"three\"\nrefuse = 1")
            try await wait("the refusal") { try await scenario.reason(host, "a").contains("not this one") }
            #expect(try await scenario.reason(host, "a").contains("a.toml:6: config.refuse: not this one"))
            #expect(try await scenario.state(host, "a") == "live")
            try scenario.hot("a", config: "reload = true\ntag = { file = \"nowhere\" }")
            try await wait("the secret") { try await scenario.reason(host, "a").contains("config.tag: ") }
            try await scenario.send(["2"])
            try await wait("the second") { scenario.tags("a") == ["squeamish", "squeamish"] }
            try scenario.hot("a", config: "reload = true\ntag = \"four\"")
            try await wait("the new one") { try await scenario.reason(host, "a").isEmpty }
            try await scenario.send(["3"])
            try await wait("the third") { scenario.tags("a").last == "four" }
            #expect(try await scenario.states(host)["a"]?.pid == pid)
        }
        #expect(scenario.seen("a").filter { $0["kind"]?.string == "start" }.count == 1)
    }
}
