import CrowbarCore

/// Registers accounts: does what ``RegistrationMachine`` asks for.
public struct Registrar: Sendable {
    private let store: any AccountStore
    private let log: RegistrationLog
    private let now: @Sendable () -> Int64
    private let newEventId: @Sendable () -> String

    /// Makes a registrar.
    /// - Parameters:
    ///   - now: The Unix time in milliseconds.
    ///   - newEventId: Makes an id for an event.
    public init(
        store: any AccountStore, log: RegistrationLog, now: @escaping @Sendable () -> Int64,
        newEventId: @escaping @Sendable () -> String
    ) {
        self.store = store
        self.log = log
        self.now = now
        self.newEventId = newEventId
    }

    /// Registers an account.
    /// - Parameters:
    ///   - account: The account as it will be.
    ///   - name: The name that the user is shown by.
    ///   - identity: The subject that it belongs to. Its first sight everywhere makes the same event.
    ///   - admission: What admits it.
    ///   - mayAdopt: Whether it may be given to a user whom the log knows.
    ///   - session: A session that starts with it.
    public func register(
        _ account: Account, name: String, identity: PendingRegistration.Identity? = nil, by admission: Admission,
        mayAdopt: Bool = false, session: AccountToken? = nil
    ) async -> RegistrationMachine.Outcome {
        let derived = identity.map { UserIdRule.registrationEvent(issuer: $0.issuer, subject: $0.subject) }
        var registration = PendingRegistration(
            account: account, name: name, eventId: derived ?? newEventId(), identity: identity, mayAdopt: mayAdopt)
        var run = Run(registration: registration, admission: admission, session: session)
        let outcome = await end(&run)
        guard outcome == .eventIdTaken else { return outcome }
        // Somebody stored another event under the id, which anybody can compute. That must not keep the subject out.
        registration.eventId = newEventId()
        run = Run(registration: registration, admission: admission, session: session)
        return await end(&run)
    }

    /// Ends the registrations that a crash or a failure left pending: for the start of a server, and from time to time.
    /// - Returns: The users, each with how its registration ended.
    /// - Throws: What the store throws where it cannot be read.
    public func endPending() async throws -> [(userId: String, outcome: RegistrationMachine.Outcome)] {
        var outcomes: [(String, RegistrationMachine.Outcome)] = []
        for registration in try await store.pendingRegistrations() {
            var run = Run(resuming: registration)
            outcomes.append((registration.account.userId, await end(&run)))
        }
        return outcomes
    }

    /// A registration under way.
    struct Run: Sendable {
        fileprivate var machine: RegistrationMachine
        fileprivate(set) var action: RegistrationMachine.Action
        fileprivate let registration: PendingRegistration
        fileprivate var admission = Admission.free
        fileprivate var session: AccountToken?

        init(registration: PendingRegistration, admission: Admission, session: AccountToken?) {
            machine = .new
            action = machine.first
            (self.registration, self.admission, self.session) = (registration, admission, session)
        }

        init(resuming registration: PendingRegistration) {
            machine = .resuming(registration)
            action = machine.first
            self.registration = registration
        }
    }

    private func end(_ run: inout Run) async -> RegistrationMachine.Outcome {
        while true {
            if case .end(let outcome) = run.action { return outcome }
            await step(&run)
        }
    }

    /// Does one action, which writes to one store.
    func step(_ run: inout Run) async {
        let input: RegistrationMachine.Input
        do {
            input = try await answer(run)
        } catch let failure as AccountFailure {
            input = .refused(failure)
        } catch {
            input = .storeFailed("\(error)")
        }
        run.action = run.machine.next(input)
    }

    private func answer(_ run: Run) async throws -> RegistrationMachine.Input {
        switch run.action {
        case .begin:
            let begun = try await store.begin(run.registration, by: run.admission, now: now())
            if let begun { return .begun(begun) }
            if let session = run.session { try await store.start(session) }
            return .isActive
        case .register(let registration):
            return .log(
                await log.register(
                    registration.account.userId, name: registration.name, eventId: registration.eventId))
        case .finish(let registration):
            try await store.finish(registration, session: run.session)
            return .finished
        case .rollBack(let registration):
            try await store.rollBack(registration)
            return .rolledBack
        case .end: return .finished
        }
    }
}
