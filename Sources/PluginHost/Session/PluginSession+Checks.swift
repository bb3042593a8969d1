import CrowbarCore
import PluginWire

// The command phase: questions to the plugin and its answers.
extension PluginSession {
    /// Has the plugin asked from now on.
    ///
    /// Questions go to the writer at once, past the mailbox: somebody waits for the answer.
    func beginChecks() {
        isChecker = true
        view.isCaughtUp = true
        let (outgoing, mailbox) = (outgoing, mailbox)
        environment.checks.attach(
            manifest.name,
            CheckCoordinator.Port(
                session: plan.session,
                ask: { id, within, command in
                    guard outgoing.room() > 0 else { return false }
                    outgoing.put(
                        HostMessage.check(id: MessageID(Int(id)), deadlineMs: within, command: command).line + [0x0A])
                    return true
                },
                complain: { mailbox.post(.offence("verdict", $0)) }))
    }

    func take(_ verdict: PluginMessage.Verdict, _ now: Int64) {
        guard isChecker else { return strike("verdict", "it was asked nothing", now) }
        let id: MessageID
        let answer: CheckChain.Answer
        switch verdict {
        case .allow(let asked, let command): (id, answer) = (asked, .allow(command))
        case .deny(let asked, let code, let message):
            let reason = log.mask(message, limit: CheckChain.Limit.reason)
            (id, answer) = (asked, .deny(code: log.mask(code, limit: 64), message: reason))
        }
        // An answer after its time is no offence: the plugin could not know.
        guard let number = id.number, environment.checks.take(answer, to: number, from: manifest.name) else {
            view.ignored += 1
            return
        }
        verdicts += 1
    }
}
