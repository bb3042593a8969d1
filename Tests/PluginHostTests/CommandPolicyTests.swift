import CrowbarCore
import Testing

@testable import PluginHost

private let send = Array(#"{"type":"SEND_MESSAGE","userId":"irc/local/ann","channelId":"general","message":"hi"}"#.utf8)

private func policy(actAs: [String] = [], history: Bool = false) -> CommandPolicy {
    var manifest = Manifest(name: "irc", file: "irc.toml", command: ["x"])
    manifest.commands = [.sendMessage, .registerUser]
    manifest.actAs = actAs
    manifest.commandsInHistory = history
    return CommandPolicy(manifest)
}

private func cause(
    queue: String = "main", event: String = "e1", depth: UInt8 = 0, history: Bool = false, ordinal: Int = 0
) -> CommandPolicy.Cause {
    .init(
        queue: queue, eventId: event, timestamp: 1_793_491_200_000, depth: depth, isHistory: history, ordinal: ordinal)
}

/// A keyed mixing function that is good enough to tell inputs apart.
private func mix(_ key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    var random = SplitMix(state: (key + message).reduce(7) { $0 &* 31 &+ UInt64($1) })
    return (0..<32).map { _ in UInt8(truncatingIfNeeded: random.next()) }
}

private func code(_ policy: CommandPolicy, _ command: String, cause: CommandPolicy.Cause? = nil) -> CommandError.Code? {
    do throws(CommandError) {
        _ = try policy.request(Array(command.utf8), cause: cause, key: nil, ref: nil, secret: [1], hmac: mix)
        return nil
    } catch {
        return error.code
    }
}

@Test func aPluginActsUnderItsOwnNameAndWithinItsManifest() {
    let command = String(decoding: send, as: UTF8.self)
    #expect(code(policy(), command) == nil)
    #expect(code(policy(), command.replacing("irc/local/ann", with: "ann")) == .forbidden)
    #expect(code(policy(), command.replacing("irc/local/ann", with: "ircx/ann")) == .forbidden)
    #expect(code(policy(actAs: ["*"]), command.replacing("irc/local/ann", with: "ann")) == nil)
    #expect(code(policy(), command.replacing(#""userId":"irc/local/ann","#, with: "")) == .invalidCommand)
    #expect(code(policy(), #"{"type":"JOIN_CHANNEL","userId":"irc/a","channelId":"general"}"#) == .forbidden)
    #expect(code(policy(), "{}") == .invalidCommand)
    #expect(code(policy(), "no") == .malformed)
}

@Test func oldCausesAndLongChainsAreRefused() {
    let command = String(decoding: send, as: UTF8.self)
    #expect(code(policy(), command, cause: cause(history: true)) == .replay)
    #expect(code(policy(history: true), command, cause: cause(history: true)) == nil)
    #expect(code(policy(), command, cause: cause(depth: 15)) == nil)
    #expect(code(policy(), command, cause: cause(depth: 16)) == .loop)
    #expect(code(policy(), command, cause: cause(depth: 255)) == .loop)
}

@Test func anEmitHasOneIdForEverAndNoOther() throws {
    func id(_ cause: CommandPolicy.Cause?, key: String? = nil, secret: [UInt8] = [1]) -> String? {
        policy().eventId(cause: cause, key: key, secret: secret, hmac: mix)
    }
    #expect(id(cause()) == id(cause()))
    let others = [
        id(cause(ordinal: 1)), id(cause(event: "e2")), id(cause(queue: "other")), id(cause(), secret: [2]),
        id(nil, key: "k"), id(nil, key: "l"),
    ]
    #expect(Set(others + [id(cause())]).count == others.count + 1)
    // A key wins over the cause.
    #expect(id(cause(), key: "k") == id(nil, key: "k"))
    #expect(id(nil) == nil)
    let derived = try #require(id(cause()))
    #expect(derived.hasPrefix("01a19467-e800-8"))
    #expect(Identifier.isEvent(derived))
}

@Test func theRequestSaysWhereItComesFrom() throws {
    let request = try policy().request(
        send, cause: cause(depth: 3), key: nil, ref: "local/#general", secret: [1], hmac: mix)
    #expect(request.origin == .init(plugin: "irc", ref: "local/#general"))
    #expect(request.depth == 4)
    #expect(request.actor == "irc/local/ann")
    #expect(request.derivedId != nil)
}
