import Foundation
import JSONBytes
import Settings
import Testing

@testable import PluginHost

@Test(arguments: [
    ("token", "token"), ("token\n", "token"), ("token\r\n", "token"), ("token\n\n", "token\n"),
    ("token\r", "token\r"), ("a\r\nb\r\n", "a\r\nb"), ("\n", ""), ("", ""),
])
func aSecretEndsBeforeItsLastBreak(text: String, secret: String) throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "crowbar-secret-\(UUID().uuidString)")
    try Data(text.utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let config = JSON.object([.init("key", .object([.init("file", .string(file.path))]))])
    let secrets = try Secrets.resolve(config, environment: [:], folder: "/", hidden: [])
    #expect(Array((secrets.config["key"]?.string ?? "?").utf8) == Array(secret.utf8))
    #expect(secrets.values == [secret])
    // The same of a variable, which may have been filled from a file.
    let variable = JSON.object([.init("key", .object([.init("env", .string("KEY"))]))])
    let found = try Secrets.resolve(variable, environment: ["KEY": text], folder: "/", hidden: [])
    #expect(Array((found.config["key"]?.string ?? "?").utf8) == Array(secret.utf8))
    #expect(found.values == [secret])
}

@Test(arguments: [(1, false), (15, false), (17, true)])
func aConfigurationThatNoLineHoldsIsRefused(secrets: Int, isRefused: Bool) throws {
    let scenario = try HostScenario()
    defer { scenario.remove() }
    // Quotes are two bytes each in JSON.
    let text = String(repeating: "\"", count: 32 << 10)
    try text.write(to: scenario.folder.appending(path: "key"), atomically: true, encoding: .utf8)
    let keys = (0..<secrets).map { JSON.Member("k\($0)", .object([.init("file", .string("key"))])) }
    var manifest = Manifest(name: "x", file: scenario.folder.path + "/x.toml", command: ["x"])
    manifest.config = .object(keys)
    let factory = SessionFactory(name: "x", environment: scenario.environment, lines: nil)
    guard isRefused else {
        #expect(try factory.secrets(manifest).values.count == secrets)
        return
    }
    let refusal = #expect(throws: SessionFactory.Refusal.self) { try factory.secrets(manifest) }
    #expect(refusal?.reason.contains("x.toml: config: is 1114") == true, "\(refusal?.reason ?? "")")
}

/// Files that the host may read and no plugin: their text is not handed to one.
@Suite struct SecretPlaceTests {
    private let root = FileManager.default.temporaryDirectory.appending(path: "crowbar-place-\(UUID().uuidString)")

    private func fill() throws {
        let data = root.appending(path: "data/plugins/p")
        try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
        for name in ["data/admin.key", "data/plugins/p/own", "plain", "data-beside"] {
            try Data("text".utf8).write(to: root.appending(path: name))
        }
        #expect(symlink("data/admin.key", root.path + "/link") == 0)
        #expect(symlink("link", root.path + "/linkToLink") == 0)
        #expect(symlink("data", root.path + "/folder") == 0)
        #expect(symlink("plain", root.path + "/toPlain") == 0)
        #expect(mkfifo(root.path + "/pipe", 0o600) == 0)
    }

    @Test(
        arguments: [
            ("plain", nil), ("./plain", nil), ("toPlain", nil), ("data-beside", nil), ("data/../plain", nil),
            ("data/admin.key", "data folder"), ("link", "data folder"), ("linkToLink", "data folder"),
            ("folder/admin.key", "data folder"), ("folder/../data/admin.key", "data folder"),
            ("data/plugins/p/own", "data folder"), ("data/plugins/../admin.key", "data folder"),
            ("pipe", "no regular file"), ("data", "a folder"), ("/dev/zero", "no regular file"),
            ("/dev/null", "no regular file"), ("none", "No such file"),
        ] as [(String, String?)])
    func aSecretIsARegularFileOutsideOfWhatIsHidden(name: String, reason: String?) throws {
        try fill()
        defer { try? FileManager.default.removeItem(at: root) }
        let scenario = try HostScenario()
        defer { scenario.remove() }
        var environment = scenario.environment
        environment.isolation = PluginIsolation(hidden: [root.path + "/folder"])
        var manifest = Manifest(name: "x", file: root.path + "/x.toml", command: ["x"])
        manifest.config = .object([.init("key", .object([.init("file", .string(name))]))])
        let factory = SessionFactory(name: "x", environment: environment, lines: nil)
        guard let reason else {
            #expect(try factory.secrets(manifest).config["key"]?.string == "text")
            return
        }
        let refusal = #expect(throws: SessionFactory.Refusal.self) { try factory.secrets(manifest) }
        #expect(refusal?.reason.contains(reason) == true, "\(refusal?.reason ?? "")")
        #expect(refusal?.reason.hasPrefix(root.path + "/x.toml") == true)
    }

    @Test func theCheckSaysSo() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let plugins = scenario.folder.appending(path: "plugins")
        try FileManager.default.createDirectory(at: plugins, withIntermediateDirectories: true)
        try Data("text".utf8).write(to: plugins.appending(path: "key"))
        try scenario.add("p", config: "secret = { file = \"../plugins/key\" }")
        let findings = try await PluginCheck.run(
            folder: scenario.folder.appending(path: "plugins.d").path, environment: scenario.environment)
        let errors = findings.filter(\.isError).map(\.text)
        #expect(errors.count == 1 && errors.allSatisfy { $0.contains("it lies in the data folder") }, "\(errors)")
    }

    @Test func aManifestThatIsAPipeHoldsNothingUp() throws {
        try fill()
        defer { try? FileManager.default.removeItem(at: root) }
        #expect(mkfifo(root.path + "/p.toml", 0o600) == 0)
        let contents = try PluginFolder.read(root.path)
        #expect(contents.errors.map(\.error.reason) == ["it is no regular file"])
    }
}
