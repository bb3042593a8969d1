import PluginWire
import Testing

@testable import IRCBridge

/// In which order messages of the host are taken that came together.
@Suite struct HostOrderTests {
    /// An event as `QUEUE<ORIGIN`, or a ping by its number.
    private static func message(_ text: String) -> HostMessage {
        let words = text.split(separator: "<")
        guard words.count == 2 else { return .ping(n: Int64(text) ?? 0) }
        let json =
            #"{"type":"MESSAGE_SENT","message":"\"ref\":\"a/","origin":{"plugin":"irc","ref":"\#(words[1])/#x"}}"#
        return .event(.init(queue: String(words[0]), delivery: 1, position: 1, event: Array(json.utf8)))
    }

    @Test(arguments: [
        ("a<a b<a", "b<a a<a"), ("b<a a<a", "b<a a<a"), ("a<b b<b c<b", "a<b c<b b<b"),
        // Each queue keeps its order.
        ("a<b a<a a<b b<a", "a<b b<a a<a a<b"), ("a<a b<b", "a<a b<b"), ("a<ab b<a", "a<ab b<a"),
        ("1 a<a 2 b<a 3", "1 2 b<a 3 a<a"), ("", ""),
    ])
    func whatCameFromANetworkItselfIsTakenLast(messages: String, taken: String) {
        let order = Bridge.ownEventsLast(messages.split(separator: " ").map { Self.message(String($0)) })
        #expect(order == taken.split(separator: " ").map { Self.message(String($0)) })
    }
}
