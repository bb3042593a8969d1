import Glibc
import JSONBytes
import PluginWire

// What the operator asks: how the last tries went, a try on demand, an end of a hold.
extension CourierLoop {
    /// The questions that `ready` names.
    static let asks = ["test-send", "deliveries", "resume"]

    /// Answers a question, or posts the test that will.
    func answer(_ id: MessageID, _ what: String, _ queue: String?) {
        switch what {
        case "deliveries":
            if let queue, seats[queue] == nil { return refuse(id, "there is no endpoint '\(queue.prefix(64))'") }
            send(.answer(id: id, .told(.array(records(of: queue)))))
        case "test-send":
            guard let queue, let seat = seats[queue] else {
                return refuse(id, "there is no endpoint '\(queue?.prefix(64) ?? "")'")
            }
            test(id, seat)
        case "resume":
            guard let queue, let seat = seats[queue] else {
                return refuse(id, "there is no endpoint '\(queue?.prefix(64) ?? "")'")
            }
            resume(id, seat)
        default: refuse(id, "'\(what.prefix(64))' is not known here")
        }
    }

    /// Notes a try that has ended; a test's is told, as it is not the queue's.
    func note(_ job: Job, _ record: DeliveryRecord, of seat: Int) {
        if let id = job.test {
            send(.answer(id: id, .told(record.json)))
        } else {
            lanes[seat].keep(record)
        }
    }

    /// The newest first, as many as a line holds.
    private func records(of queue: String?) -> [JSON] {
        let wanted = queue.map { [$0] } ?? Array(seats.keys)
        let records = wanted.compactMap { seats[$0] }.flatMap { lanes[$0].records }
        var (told, bytes): ([JSON], Int) = ([], 0)
        // Sorting is stable: of two in the same millisecond the later one comes first.
        for record in records.reversed().sorted(by: { $0.at > $1.at }) {
            let json = record.json
            bytes += json.bytes.count
            if bytes > DeliveryRecord.maxTold { break }
            told.append(json)
        }
        return told
    }

    /// Posts an event that is in no log, the way every other goes.
    private func test(_ id: MessageID, _ seat: Int) {
        let eventId = "test-" + String(UInt64.random(in: .min ... .max), radix: 16)
        let time = Int64(Glibc.time(nil))
        let format = endpoints[seat].body
        // A chat service is told what somebody said, as it has no words for anything else of this kind.
        var type = "WEBHOOK_TEST"
        if case .chat = format { type = "MESSAGE_SENT" }
        let event = JSON.object([
            .init("eventId", .string(eventId)), .init("type", .string(type)), .init("timestamp", .int(time * 1000)),
            .init("channelId", .string("test")), .init("userName", .string("crowbar")),
            .init("message", .string("This is a test of the endpoint '\(endpoints[seat].name)', sent by an operator.")),
        ])
        guard let object = try? JSONObject(parsing: event.bytes),
            let content = try? format.content(of: object)
        else { return refuse(id, "the endpoint's body format has nothing to say about a test") }
        var job = Job(delivery: 0, position: 0, attempt: 1, eventId: eventId, body: content.body)
        job.headers = content.headers
        job.test = id
        post(job, to: seat, time: time)
    }

    private func resume(_ id: MessageID, _ seat: Int) {
        let was = lanes[seat].obstacle
        lanes[seat].resume().forEach(send)
        reporter.isDirty = true
        list(seat)
        send(
            .answer(
                id: id,
                .told(
                    .object([
                        .init("endpoint", .string(lanes[seat].name)), .init("was", was.map { .string($0) } ?? .null),
                    ]))))
    }

    private func refuse(_ id: MessageID, _ message: String) { send(.answer(id: id, .refused(message))) }
}
