import PluginWire

/// The answer to a line with a label that comes as a batch of lines (IRCv3 labeled-response).
struct LabelledAnswer: Equatable, Sendable {
    /// The label of the line.
    var label: String
    /// Whether one of the lines is the echo of what was said.
    var hasEcho = false
    /// Why the server does not accept the line, where one of the lines says so.
    var failure: String?
    /// What can be done about that.
    var remedy = Remedy.none
}

/// What one line of the server says about a message that was written with a label.
enum SpeechAnswer: Equatable {
    /// The message as others see it: the only receipt where echo-message is on.
    case echo
    /// The server does not pass the message on.
    case refused(String)
    /// The client is no longer in the channel; its messages are written again after it has joined.
    case lostChannel
}

// What the server answers to single lines.
extension ConnectionMachine {
    /// Handles a server's answer to a line that was written with a label.
    mutating func labelled(_ message: IRCMessage, _ label: String, _ now: Instant) -> [Action] {
        connection.lastReceipt = now
        connection.hasProgressed = true
        adapt(to: connection.figures.answered(label, now: now), now)
        if message.verb == "BATCH", let reference = message.params.first, reference.hasPrefix("+"),
            connection.answers.count < Batches.mostOpen
        {
            // Whether the line was accepted is known at the end of the batch, unless that is the message itself, whose
            // lines a user's connection does not look at.
            let isEcho = MultilineMessages.isOpening(message) && isSpeech(label)
            connection.answers[String(reference.dropFirst())] = LabelledAnswer(label: label, hasEcho: isEcho)
            return (isEcho ? takeEcho(message, label) : []) + received(unlabelled: message, now)
        }
        guard isSpeech(label) else {
            let done = connection.outbound.answered(label, failure: Self.failure(message))
            return received(unlabelled: message, now) + finish(done) + pump(now)
        }
        var failure: String?
        var remedy = Remedy.none
        var noted: [Action] = []
        switch speechAnswer(message) {
        case .echo: noted = takeEcho(message, label)
        case .refused(let reason):
            failure = reason
            if let target = connection.outbound.receipts.line(labelled: label)?.refusable.target {
                remedy = self.remedy(message, target, now)
            }
        case .lostChannel:
            // Losing the channel takes its messages back, so that the label is answered only if it is another's.
            let lost = received(unlabelled: message, now)
            let done = connection.outbound.answered(label, failure: Self.unshown(message))
            return lost + finish(done) + pump(now)
        }
        let done = connection.outbound.answered(label, failure: failure, remedy)
        return noted + received(unlabelled: message, now) + finish(done) + pump(now)
    }

    /// Handles a line of such a batch, or its end. Nil where the line belongs to none.
    mutating func partOfAnswer(_ message: IRCMessage, _ now: Instant) -> [Action]? {
        if message.verb == "BATCH", let reference = message.params.first, reference.hasPrefix("-"),
            let answer = connection.answers.removeValue(forKey: String(reference.dropFirst()))
        {
            connection.lastReceipt = now
            var failure = answer.failure
            if failure == nil, !answer.hasEcho, isSpeech(answer.label) {
                failure = ConnectionState.showedNobody
            }
            let done = connection.outbound.answered(answer.label, failure: failure, answer.remedy)
            return received(unlabelled: message, now) + finish(done) + pump(now)
        }
        guard let batch = message.tags["batch"], let answer = connection.answers[batch] else { return nil }
        if let failure = Self.failure(message) {
            connection.answers[batch]?.failure = failure
            if let target = connection.outbound.receipts.line(labelled: answer.label)?.refusable.target {
                let remedy = remedy(message, target, now)
                connection.answers[batch]?.remedy = remedy
            }
        }
        var noted: [Action] = []
        if isSpeech(answer.label),
            MultilineMessages.isOpening(message) || speechAnswer(message) == .echo
        {
            connection.answers[batch]?.hasEcho = true
            noted = takeEcho(message, answer.label)
        }
        return noted + received(unlabelled: message, now)
    }

    /// Whether a line answers one that had a label.
    func isAnswer(_ message: IRCMessage) -> Bool {
        message.tags["label"] != nil || message.tags["batch"].map { connection.answers[$0] != nil } == true
    }

    /// What a line says about a message with its label. Whatever is not the echo confirms nothing: a server with
    /// echo-message that passes a message on shows it (Ergo answers a NOTICE to a moderated channel with an ACK).
    func speechAnswer(_ message: IRCMessage) -> SpeechAnswer {
        if absence(message) != nil { return .lostChannel }
        if let failure = Self.failure(message) { return .refused(failure) }
        switch message.verb {
        case "PRIVMSG", "NOTICE":
            if let source = message.source, isOwn(IRCSource(source).nick) { return .echo }
        case "KICK":
            if let who = message.params.dropFirst().first, isOwn(who) { return .lostChannel }
        default: break
        }
        return .refused(Self.unshown(message))
    }

    private static func unshown(_ message: IRCMessage) -> String {
        if message.verb == "ACK" { return ConnectionState.showedNobody }
        let words = IRCText.words(message.params.last ?? "")
        return "the server answered with \(message.verb) and did not show the message"
            + (words.isEmpty ? "" : ": \(words)")
    }

    private static func failure(_ message: IRCMessage) -> String? {
        let isRefused = message.verb.utf8.count == 3 && ["4", "5", "9"].contains { message.verb.hasPrefix($0) }
        return isRefused || message.verb == "FAIL" ? IRCText.words(message.params.last ?? message.verb) : nil
    }

    /// Whether a label is that of a line of somebody's message, which the server shows to its sender too.
    private func isSpeech(_ label: String) -> Bool {
        connection.outbound.receipts.line(labelled: label)?.isShown == true
    }

    /// The echo shows the client's mask as others see it, and the message's id.
    private mutating func takeEcho(_ message: IRCMessage, _ label: String) -> [Action] {
        if let source = message.source, isOwn(IRCSource(source).nick) { setMask(source) }
        return noteSaid(label, message)
    }
}
