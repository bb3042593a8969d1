import Glibc
import HTTPClient
import JSONBytes
import PluginWire

// What the operator asks: how the last tries went, a try on demand, an end of a hold.
extension CourierLoop {
    /// The questions that `ready` names.
    static let asks = ["test-send", "deliveries", "resume"]

    /// Answers a question, or makes the request that will.
    func answer(_ question: Courier.Question) {
        let lane = question.queue.flatMap { queue in lanes.firstIndex { $0.target.name == queue } }
        if lane == nil, question.queue != nil || question.what != "deliveries" {
            return refuse(question.id, "there is no target '\(question.queue?.prefix(64) ?? "")'")
        }
        switch (question.what, lane) {
        case ("deliveries", _): tell(question.id, .array(records(of: lane)))
        case ("test-send", let lane?): test(question.id, lane)
        case ("resume", let lane?): resume(question.id, lane)
        default: refuse(question.id, "'\(question.what.prefix(64))' is not known here")
        }
    }

    /// The newest first, as many as a line holds.
    private func records(of lane: Int?) -> [JSON] {
        let records = (lane.map { lanes[$0...$0] } ?? lanes[...]).flatMap(\.records)
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

    /// What is remembered of a try that has ended.
    func record(
        _ job: Job, of lane: Int, _ judgement: Judgement, _ outcome: Outcome, since start: Int64, _ now: Int64
    ) -> DeliveryRecord {
        let target = lanes[lane].target
        let (code, reason) = judgement.shown
        var answer: [UInt8] = []
        if case .answered(let given) = outcome { answer = Array(given.body.prefix(DeliveryRecord.maxAnswer)) }
        return DeliveryRecord(
            target: target.name, arn: target.arn.text, at: now + offset, eventId: job.eventId, attempt: job.countedTry,
            outcome: code, reason: reason, milliseconds: now - start, answer: String(decoding: answer, as: UTF8.self))
    }

    /// Hands over an event that is in no log, the way every other goes.
    private func test(_ id: MessageID, _ lane: Int) {
        let (target, time) = (lanes[lane].target, Int64(Glibc.time(nil)))
        let event = JSON.object([
            .init("eventId", .string("test-" + String(UInt64.random(in: .min ... .max), radix: 16))),
            .init("type", .string("AWS_TEST")), .init("timestamp", .int(time * 1000)),
            .init("channelId", .string("test")), .init("userName", .string("crowbar")),
            .init("message", .string("This is a test of the target '\(target.name)', sent by an operator.")),
        ])
        let job = Job(
            delivery: 0, position: 0, eventId: event["eventId"]?.string ?? "", group: "test", body: event.bytes)
        let exchange = Exchange(.test(job, lane: lane, id), at: Self.now())
        let keeper = keepers[CredentialOrigin(target)]
        guard let credentials = keeper?.usable(at: time) else {
            let message = keeper?.problem?.message ?? "they are on their way; try again in a moment"
            return tell(id, job, of: lane, .failed(code: "credentials", message: message), exchange)
        }
        if !start(exchange, target.call([job]), credentials, time) {
            tell(id, job, of: lane, .failed(code: "transfer", message: "libcurl refused the request"), exchange)
        }
    }

    /// Tells how a test went. It is no event of the queue, so nothing else follows from it; commands of a function's
    /// answer are not carried out.
    func tell(_ id: MessageID, _ job: Job, of lane: Int, _ outcome: Outcome, _ exchange: Exchange) {
        guard let judgement = lanes[lane].target.judge(outcome, count: 1).first else { return }
        tell(id, record(job, of: lane, judgement, outcome, since: exchange.startedAt, Self.now()).json)
    }

    private func resume(_ id: MessageID, _ lane: Int) {
        let was = lanes[lane].obstacle
        lanes[lane].resume().forEach(send)
        // What credentials lack may be mended.
        keepers[CredentialOrigin(lanes[lane].target)]?.doubt(at: Int64(Glibc.time(nil)))
        reporter.isDirty = true
        list(lane)
        tell(
            id,
            .object([
                .init("endpoint", .string(lanes[lane].target.name)), .init("was", was.map { .string($0) } ?? .null),
            ]))
    }

    private func tell(_ id: MessageID, _ answer: JSON) { send(.answer(id: id, .told(answer))) }

    private func refuse(_ id: MessageID, _ message: String) { send(.answer(id: id, .refused(message))) }
}
