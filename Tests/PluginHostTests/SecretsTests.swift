import Foundation
import JSONBytes
import Testing

@testable import PluginHost

@Test(arguments: [
    ("token", "token"), ("token\n", "token"), ("token\r\n", "token"), ("token\n\n", "token\n"),
    ("token\r", "token\r"), ("a\r\nb\r\n", "a\r\nb"), ("\n", ""), ("", ""),
])
func aSecretsFileEndsBeforeItsLastBreak(text: String, secret: String) throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "crowbar-secret-\(UUID().uuidString)")
    try Data(text.utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let config = JSON.object([.init("key", .object([.init("file", .string(file.path))]))])
    let secrets = try Secrets.resolve(config, environment: [:], folder: "/")
    #expect(Array((secrets.config["key"]?.string ?? "?").utf8) == Array(secret.utf8))
    #expect(secrets.values == [secret])
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
