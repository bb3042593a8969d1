import PluginWire

extension Bridge {
    /// Messages of the host in the order in which somebody waits for them: what came from a network itself is only
    /// settled there, so its queue comes last. Each queue keeps its order.
    static func ownEventsLast(_ messages: [HostMessage]) -> [HostMessage] {
        var (first, last): ([HostMessage], [HostMessage]) = ([], [])
        var late: Set<String> = []
        for message in messages {
            if case .event(let event) = message, isOwn(event) { late.insert(event.queue) }
            if case .event(let event) = message, late.contains(event.queue) {
                last.append(message)
            } else {
                first.append(message)
            }
        }
        return first + last
    }

    /// Whether an event comes from the network that it is for. Told from its bytes, which costs less than to read it;
    /// within a text the quotes would have backslashes.
    private static func isOwn(_ event: HostMessage.EventDelivery) -> Bool {
        let mark = Array("\"ref\":\"\(event.queue)/".utf8)
        guard let start = mark.first, event.event.count >= mark.count else { return false }
        return (0...event.event.count - mark.count).contains {
            event.event[$0] == start && event.event[$0..<$0 + mark.count].elementsEqual(mark)
        }
    }
}
