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
