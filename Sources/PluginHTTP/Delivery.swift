import PluginWire

/// One delivery of an event to an endpoint.
package struct Delivery: Equatable, Sendable {
    /// What it is settled by.
    package var id: Int64
    /// How many-th delivery of the event it is, from 1.
    package var attempt: Int64
    /// How many of the earlier ones used up no try, as the endpoint only asked to wait.
    package var uncounted: Int64
    /// Which try it is, from 1, without the uncounted ones.
    package var countedTry: Int64 { max(1, attempt - uncounted) }
    /// The event's id, the same for all tries.
    package var eventId: String
    /// What is in order among itself, where the endpoint keeps an order.
    package var group = ""
    /// Header lines of this event alone.
    package var headers: [String] = []
    /// The `traceparent` of the request that the event came from; nil where it is part of no trace.
    package var traceParent: String?
    /// What is sent of the event.
    package var body: [UInt8]
    /// Whether it goes out in a request of its own, as one with others was refused.
    package var isAlone = false
    /// The operator's question that it answers; nil: it is an event of the queue.
    package var test: MessageID?

    package init(id: Int64, attempt: Int64 = 1, uncounted: Int64 = 0, eventId: String, body: [UInt8]) {
        (self.id, self.attempt, self.uncounted) = (id, attempt, uncounted)
        (self.eventId, self.body) = (eventId, body)
    }
}

/// What becomes of an event that the host delivers.
package enum PreparedDelivery: Sendable {
    /// It is sent.
    case send(Delivery)
    /// There is nothing to send; it counts as delivered.
    case skip
    /// It can never be sent.
    case reject(code: String, message: String)
}
