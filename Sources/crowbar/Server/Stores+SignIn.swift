import CrowbarCore
import CrowbarSQLite
import Identity

// Registration and sessions on the stores.
extension Stores {
    /// Registers accounts. What it sends to `ingest` is stored only while that runs.
    func registrar(_ ingest: Ingest) -> Registrar {
        let ids = EventIDSource(now: Clock.milliseconds, random: { UInt64.random(in: 0 ... .max) })
        return Registrar(
            store: accounts, log: RegistrationLog(ingest: ingest, log: log), now: Clock.milliseconds,
            newEventId: { ids.next() })
    }

    /// Makes sessions and tokens.
    var sessions: Sessions {
        let log = log
        return Sessions(store: accounts, nameOfUser: { try await log.userName($0) })
    }

    /// What people do with their own accounts.
    /// - Parameter onAdmin: Is called when the setup link has made an admin.
    func localAccounts(
        _ policy: SignInPolicy, _ ingest: Ingest, onAdmin: @escaping @Sendable () -> Void
    ) -> LocalAccounts {
        LocalAccounts(
            policy: policy, store: accounts, registrar: registrar(ingest), sessions: sessions,
            audit: ExplainedAudit(accounts: accounts), now: Clock.milliseconds, onAdmin: onAdmin)
    }
}
