import CrowbarCore

/// The steps of a registration through two stores, as a value without I/O.
///
/// 1. The account is stored as pending, with the id of the event to come and what admits it, in one transaction.
/// 2. `REGISTER_USER` is stored in the log under that id.
/// 3. The account becomes active.
///
/// A crash after 1 or 2 leaves a pending account, with which ``resuming(_:)`` goes on. If the log has the user by
/// another event, the account is removed and what admitted it is given back.
public struct RegistrationMachine: Sendable {
    /// What to do next.
    public enum Action: Sendable, Equatable {
        /// Store the pending account.
        case begin
        /// Store this registration's event.
        case register(PendingRegistration)
        /// Make this account active.
        case finish(PendingRegistration)
        /// Remove this account.
        case rollBack(PendingRegistration)
        /// The registration has ended.
        case end(Outcome)
    }

    /// What came of an action.
    public enum Input: Sendable, Equatable {
        /// The account is stored as pending.
        case begun(PendingRegistration)
        /// The subject has an active account.
        case isActive
        /// The accounts refuse it.
        case refused(AccountFailure)
        /// What the log says.
        case log(LogAnswer)
        /// The account is active.
        case finished
        /// The account is removed.
        case rolledBack
        /// A store cannot be read or written; why.
        case storeFailed(String)
    }

    /// What the log says to a `REGISTER_USER`.
    public enum LogAnswer: Sendable, Equatable {
        /// The user is registered by this event, now or before.
        case registered
        /// The user is registered by another event.
        case userExists
        /// Another event has the id.
        case eventIdTaken
        /// The command is refused for good.
        case refused(CommandError)
        /// The log cannot be written, or did not answer. The event may be stored or not.
        case unavailable(CommandError)
    }

    /// How a registration ends.
    public enum Outcome: Sendable, Equatable {
        /// The account is active.
        case active
        /// Nothing is left of it.
        case refused(AccountFailure)
        /// Nothing is left of it: the log has the user by another event.
        case userExists
        /// Nothing is left of it: another event has the id of this one. It can begin again with another id.
        case eventIdTaken
        /// Nothing is left of it: the log refuses the user.
        case refusedByLog(CommandError)
        /// The account is still pending, or nothing was stored; why. A later run ends what is pending.
        case unavailable(String)
    }

    private enum State {
        case beginning
        case registering(PendingRegistration)
        case finishing
        case rollingBack(Outcome)
        case ended(Outcome)
    }

    private var state: State

    private init(_ state: State) { self.state = state }

    /// A registration from its beginning.
    public static var new: RegistrationMachine { RegistrationMachine(.beginning) }

    /// A registration that was found pending.
    public static func resuming(_ registration: PendingRegistration) -> RegistrationMachine {
        RegistrationMachine(.registering(registration))
    }

    /// What to do first.
    public var first: Action {
        switch state {
        case .registering(let registration): .register(registration)
        case .ended(let outcome): .end(outcome)
        default: .begin
        }
    }

    /// What to do after an action. An input that fits no action that was asked for ends the registration as
    /// unavailable: what is pending stays so.
    public mutating func next(_ input: Input) -> Action {
        switch (state, input) {
        case (.ended(let outcome), _): return .end(outcome)
        case (_, .storeFailed(let why)): return end(.unavailable(why))
        case (.beginning, .begun(let registration)):
            state = .registering(registration)
            return .register(registration)
        case (.beginning, .isActive): return end(.active)
        case (.beginning, .refused(let failure)): return end(.refused(failure))
        case (.registering(let registration), .log(let answer)): return next(registration, answer)
        case (.finishing, .finished): return end(.active)
        // Another run removed it meanwhile, because the log had refused it.
        case (.finishing, .refused(let failure)): return end(.refused(failure))
        case (.rollingBack(let outcome), .rolledBack): return end(outcome)
        default: return end(.unavailable("the registration got an answer out of turn"))
        }
    }

    private mutating func next(_ registration: PendingRegistration, _ answer: LogAnswer) -> Action {
        switch answer {
        case .registered: return finish(registration)
        case .userExists: return registration.mayAdopt ? finish(registration) : rollBack(registration, .userExists)
        case .eventIdTaken: return rollBack(registration, .eventIdTaken)
        case .refused(let error): return rollBack(registration, .refusedByLog(error))
        case .unavailable(let error): return end(.unavailable(error.message))
        }
    }

    private mutating func finish(_ registration: PendingRegistration) -> Action {
        state = .finishing
        return .finish(registration)
    }

    private mutating func rollBack(_ registration: PendingRegistration, _ outcome: Outcome) -> Action {
        state = .rollingBack(outcome)
        return .rollBack(registration)
    }

    private mutating func end(_ outcome: Outcome) -> Action {
        state = .ended(outcome)
        return .end(outcome)
    }
}
