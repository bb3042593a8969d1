import JSONBytes
import PluginWire

/// What the operator wants to know of a plugin, or have it do, while it runs.
struct Question: Sendable {
    /// Questions to one process that wait for their answer, at most.
    static let maxOpen = Wire.maxAsks
    /// How long an answer is waited for.
    static let patience = Duration.seconds(60)

    /// What came of it.
    enum Answer: Sendable {
        case told(JSON)
        /// The plugin says no; with its reason.
        case refused(String)
        /// This plugin does not answer such questions.
        case unknown
        /// Too many wait already.
        case busy
        /// The process ended, or said nothing in time.
        case none
    }

    /// What is asked, a word of the plugin's `ready`.
    var what: String
    /// The queue that it is about; nil: all of them.
    var queue: String?
    /// Takes the answer.
    var reply: @Sendable (Answer) -> Void
}

extension PluginSession {
    /// Hands the plugin a question of the operator's.
    func ask(_ question: Question) {
        guard case .working = phase, !isDraining else { return question.reply(.none) }
        guard answerable.contains(question.what) else { return question.reply(.unknown) }
        guard questions.count < Question.maxOpen else { return question.reply(.busy) }
        asked += 1
        questions[asked] = question
        send(.ask(id: MessageID(asked), what: question.what, queue: question.queue))
    }

    /// Takes an answer; what the plugin tells may quote a secret.
    func take(answer: PluginMessage.Answer, to id: MessageID, _ now: Int64) {
        guard let number = id.number.flatMap({ Int(exactly: $0) }),
            let question = questions.removeValue(forKey: number)
        else { return ignore("answer", id: id, asked: asked, now) }
        switch answer {
        case .told(let json): question.reply(.told(log.mask(json)))
        case .refused(let message): question.reply(.refused(log.mask(message, limit: 1024)))
        }
    }

    /// Tells those who wait that nothing comes any more.
    func giveUpQuestions() {
        for question in questions.values { question.reply(.none) }
        questions = [:]
    }
}
