import JSONBytes
import PluginWire

/// The questions that `ready` names.
enum SendQuestions {
    static let all = ["test-send", "deliveries", "resume"]
}

// What the operator asks: how the last tries went, a try on demand, an end of a hold.
extension SendLoop {
    /// Answers a question, or sends the test that will.
    func answer(_ id: MessageID, _ what: String, _ queue: String?) {
        guard SendQuestions.all.contains(what) else { return refuse(id, "'\(what.prefix(64))' is not known here") }
        if what == "deliveries", queue == nil { return send(.answer(id: id, .told(.array(records(of: nil))))) }
        guard let queue, let index = indices[queue] else {
            return refuse(id, "there is no \(Service.words.noun) '\(queue?.prefix(64) ?? "")'")
        }
        switch what {
        case "deliveries": send(.answer(id: id, .told(.array(records(of: index)))))
        case "test-send": test(id, index)
        default: resume(id, index)
        }
    }

    /// The newest first, as many as a line holds.
    private func records(of index: Int?) -> [JSON] {
        let records = (index.map { [$0] } ?? Array(indices.values)).flatMap { queues[$0].records }
        var (reported, bytes): ([JSON], Int) = ([], 0)
        // Sorting is stable: of two in the same millisecond the later one comes first.
        for record in records.reversed().sorted(by: { $0.at > $1.at }) {
            let json = record.json
            bytes += json.bytes.count
            if bytes > DeliveryRecord.maxReported { break }
            reported.append(json)
        }
        return reported
    }

    /// Sends an event that is in no log, the way every other is sent.
    private func test(_ id: MessageID, _ index: Int) {
        let (endpoint, time) = (configured[index].endpoint, Self.time)
        let eventId = "test-" + String(UInt64.random(in: .min ... .max), radix: 16)
        let event = JSON.object([
            .init("eventId", .string(eventId)), .init("type", .string(endpoint.testEventType)),
            .init("timestamp", .int(time * 1000)), .init("channelId", .string("test")),
            .init("userName", .string("crowbar")),
            .init(
                "message",
                .string("This is a test of the \(Service.words.noun) '\(endpoint.name)', sent by an operator.")),
        ])
        guard var delivery = endpoint.testDelivery(event, eventId: eventId) else {
            return refuse(id, "the \(Service.words.noun)'s body format has nothing to say about a test")
        }
        delivery.test = id
        switch service.readiness(of: endpoint, at: time) {
        case .ready: send([delivery], to: index, time: time)
        case .pending(let result), .blocked(let result):
            let since = MonotonicClock.now()
            let record = record(delivery, to: configured[index], result, since: since, answer: [])
            send(.answer(id: id, .told(record.json)))
        }
    }

    private func resume(_ id: MessageID, _ index: Int) {
        let was = queues[index].obstacle(Service.words)
        queues[index].resume().forEach(send)
        service.resume(configured[index].endpoint, at: Self.time)
        reporter.isDirty = true
        list(index)
        send(
            .answer(
                id: id,
                .told(
                    .object([
                        .init("endpoint", .string(queues[index].name)), .init("was", was.map { .string($0) } ?? .null),
                    ]))))
    }

    private func refuse(_ id: MessageID, _ message: String) { send(.answer(id: id, .refused(message))) }
}
