import Glibc
import Logging
import SystemPackage

// The end of a process, which the host is sure of: a plugin whose launcher is gone cannot keep a session open by
// what it has started.
extension PluginSession {
    /// Begins to wait for the launcher's end.
    func watchEnd(_ process: PluginProcess) {
        exitWatch = ExitWatch(process.pid, poller) { [mailbox] in mailbox.post(.launcherEnded) }
        remnants = Remnants(
            user: plan.rules.user, pipes: [process.input, process.output, process.errors].map(\.rawValue),
            since: process.pid)
    }

    /// Whether the process has ended and nothing more is to be waited for.
    func hasEnded(_ now: Int64) -> Bool {
        let isDueForALook = exitWatch == nil && now - lastEndLook >= Limit.endLook
        // While the plugin is not read from, the end of its output is not seen, and may never be.
        guard outputEnded != nil || isReadingPaused || launcherEnded != nil || isDueForALook else { return false }
        lastEndLook = now
        guard process?.hasEnded ?? true else { return false }
        let ended = launcherEnded ?? now
        launcherEnded = ended
        if outputEnded == nil, !isReadingPaused {
            guard now - ended >= Limit.lastOutput else { return false }
            log.note(
                .warning, "its launcher has ended, and what the plugin started holds its pipes; they are cut now")
            pipesWereCut = true
            outputEnded = ended
            phase = .ending
        }
        let since = outputEnded ?? endedUnread ?? now
        endedUnread = since
        return settlements.unanswered == 0 || now - since > Limit.lastCommands
    }

    /// When to look for the end again though nothing happens.
    func nextEndLook(_ now: Int64) -> Int64? {
        if outputEnded != nil || isReadingPaused { return now + Limit.endPoll }
        if let launcherEnded { return max(now + Limit.endPoll, launcherEnded + Limit.lastOutput) }
        return process != nil && exitWatch == nil ? now + Limit.endLook : nil
    }

    /// The launcher has not killed what it should have killed. Its end kills the plugin's own process, and
    /// ``endRemnants(_:)`` the rest.
    func killLauncher() {
        guard let process else { return }
        log.note(.error, "its launcher did not end it, and is killed itself")
        Glibc.kill(process.pid, SIGKILL)
    }

    /// Ends what a launcher has left that did not report that it ended everything: it was killed itself.
    func endRemnants(_ how: ProcessEnd) async {
        if case .exited = how, !pipesWereCut { return }
        let found = await remnants.end()
        if found.killed > 0 {
            log.note(.warning, "processes it had started outlived its launcher; \(found.killed) were killed")
        }
        if found.areLeft {
            log.note(.error, "processes it had started outlive its launcher and could not be ended; end them by hand")
        }
    }
}
