import PluginWire

/// The answer to a line with a label that comes as a batch of lines (IRCv3 labeled-response).
struct LabelledAnswer: Equatable, Sendable {
    /// The label of the line.
    var label: String
    /// Why the server does not take it, where one of the lines says so.
    var failure: String?
}

// What the server answers to single lines.
extension NetworkMachine {
    /// The server has answered a line that was written with a label: it has it, or does not take it.
    mutating func labelled(_ message: IRCMessage, _ label: String, _ now: Instant) -> [NetworkAction] {
        lastReceipt = now
        hasProgressed = true
        figures.answered(label, now: now)
        if message.verb == "BATCH", let reference = message.params.first, reference.hasPrefix("+"),
            answers.count < Batches.mostOpen
        {
            // What it means is known at its end.
            answers[String(reference.dropFirst())] = LabelledAnswer(label: label)
            return received(unlabelled: message, now)
        }
        let failure = Self.failure(message) ?? unshown(message, label)
        takeEcho(message)
        let done = ledger.answered(label, failure: failure)
        return received(unlabelled: message, now) + finish(done) + pump(now)
    }

    /// A line of such a batch, or its end. Nil where it belongs to none.
    mutating func partOfAnswer(_ message: IRCMessage, _ now: Instant) -> [NetworkAction]? {
        if message.verb == "BATCH", let reference = message.params.first, reference.hasPrefix("-"),
            let answer = answers.removeValue(forKey: String(reference.dropFirst()))
        {
            lastReceipt = now
            let done = ledger.answered(answer.label, failure: answer.failure)
            return received(unlabelled: message, now) + finish(done) + pump(now)
        }
        guard let batch = message.tags["batch"], answers[batch] != nil else { return nil }
        if let failure = Self.failure(message) { answers[batch]?.failure = failure }
        takeEcho(message)
        return received(unlabelled: message, now)
    }

    /// Whether a line answers one that had a label.
    func isAnswer(_ message: IRCMessage) -> Bool {
        message.tags["label"] != nil || message.tags["batch"].map { answers[$0] != nil } == true
    }

    private static func failure(_ message: IRCMessage) -> String? {
        let isRefused = message.verb.utf8.count == 3 && (message.verb.hasPrefix("4") || message.verb.hasPrefix("5"))
        return isRefused || message.verb == "FAIL" ? IRCText.words(message.params.last ?? message.verb) : nil
    }

    /// Why a message did not get through, where the server acknowledges it without the echo that it gives of others:
    /// it dropped it without a word (Ergo does so with a NOTICE to a moderated channel). A server that has not shown
    /// an echo with a label on this connection may have no better answer; its ACK says that it has the line.
    private func unshown(_ message: IRCMessage, _ label: String) -> String? {
        guard message.verb == "ACK", hasEcho, ledger.isSpeech(label) else { return nil }
        return "the server took the message and showed it to nobody"
    }

    /// The echo shows the client's mask as others see it.
    private mutating func takeEcho(_ message: IRCMessage) {
        guard message.verb == "PRIVMSG", let source = message.source, isOwn(IRCSource(source).nick) else { return }
        setMask(source)
        hasEcho = true
    }
}
