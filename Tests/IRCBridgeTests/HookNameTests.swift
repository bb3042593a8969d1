import PluginWire
import Testing

@testable import IRCBridge

/// Under which name a message of an incoming hook is said.
@Suite struct HookNameTests {
    private func joined(_ more: String = "") throws -> Relay {
        try Tables.machine(
            more,
            hearing: [
                ":s 001 crow :Welcome", ":crow!crow@host JOIN #room", ":s 353 crow = #room :crow Bob",
                ":s 366 crow #room :x",
            ])
    }

    private func delivery(_ who: String, meta: String) -> HostMessage.EventDelivery {
        let json = #"{\#(who),"channelId":"general","type":"MESSAGE_SENT","message":"hi","meta":\#(meta)}"#
        return HostMessage.EventDelivery(queue: "net", delivery: 1, position: 1, event: Array(json.utf8))
    }

    private static let hook = #""userId":"incoming/ci","userName":"incoming/ci""#

    /// It is the name that it gave, cleaned as any name; nobody else can give one.
    @Test(arguments: [
        (hook, #"{"username":"main #7> ok"}"#, "<main #7 ok> hi"), (hook, "{}", "<incoming/ci> hi"),
        (hook, #"{"username":"\u202e"}"#, "<incoming/ci> hi"), (hook, #"{"username":7}"#, "<incoming/ci> hi"),
        (#""userId":"ann","userName":"Ann""#, #"{"username":"Bob"}"#, "<Ann> hi"),
        (#""userId":"bot/incoming/x","userName":"X""#, #"{"username":"Bob"}"#, "<X> hi"),
    ])
    func aHookSpeaksUnderTheNameThatItGives(who: String, meta: String, said: String) throws {
        var machine = try joined()
        let lines = machine.deliver(delivery(who, meta: meta), now: 0).lines.filter { $0.hasPrefix("PRIVMSG") }
        #expect(lines == ["PRIVMSG #room :" + said])
    }

    /// A nick is an identity on IRC, so such a name never becomes one.
    @Test(arguments: [(#"{"username":"Bob"}"#, ["PRIVMSG #room :<Bob> hi"], 0), ("{}", [], 1)])
    func aNameOfAHookIsNobodysNick(meta: String, said: [String], connections: Int) throws {
        var machine = try joined(#","mode":"puppets""#)
        let actions = machine.deliver(delivery(Self.hook, meta: meta), now: 0)
        #expect(actions.lines.filter { $0.hasPrefix("PRIVMSG") } == said)
        let opened = actions.filter { if case .puppet(_, .open) = $0 { true } else { false } }
        #expect(opened.count == connections)
    }
}
