import CrowbarCore
import HTTPTypes
import Synchronization

/// The rates of all callers of a server, for all of its listeners.
public final class CallerRates: Sendable {
    private let limits: Mutex<CallerLimits>

    /// Makes rates.
    /// - Parameter machineTokens: Those of machine tokens.
    public init(machineTokens: MachineTokenRates = MachineTokenRates()) {
        limits = Mutex(CallerLimits(machineTokens: machineTokens))
    }

    /// The rates of machine tokens. A change holds for the next call.
    public var machineTokens: MachineTokenRates {
        get { limits.withLock { $0.machineTokens } }
        set { limits.withLock { $0.machineTokens = newValue } }
    }

    fileprivate func take(
        _ wanted: Int, _ call: CallerLimits.Call, by caller: CallerLimits.Caller, now: Int64
    ) -> CallerLimits.Grant {
        limits.withLock { $0.take(wanted, call, by: caller, now: now) }
    }

    fileprivate func hasRate(_ call: CallerLimits.Call, by caller: CallerLimits.Caller) -> Bool {
        limits.withLock { $0.rate(of: call, by: caller) != nil }
    }

    fileprivate func excess(
        _ call: CallerLimits.Call, by caller: CallerLimits.Caller, now: Int64
    ) -> CallerLimits.Excess? {
        limits.withLock { $0.excess(call, by: caller, now: now) }
    }
}

/// Refuses the calls of a listener that exceed their caller's rate. The command line has no rates.
struct RateLimiter: Sendable {
    /// Why a call was refused.
    struct Refusal: Sendable {
        /// What the caller is told.
        var error: CommandError
        /// Whole seconds until the next call is accepted.
        var retryAfter: Int

        /// The answer to a whole request.
        var failure: APIFailure {
            var failure = APIFailure(error)
            failure.headers[.retryAfter] = "\(retryAfter)"
            return failure
        }
    }

    let rates: CallerRates
    let now: @Sendable () -> Int64

    /// Counts a read.
    /// - Throws: ``APIFailure`` with `rate_limited`.
    func admit(
        _ call: CallerLimits.Call, _ reader: AuthenticatedReader, address: () -> String
    ) throws(APIFailure) {
        if let credential = reader.credential { return try admit(call, credential) }
        let address = address()
        let caller = CallerLimits.Caller.address(IPAddress.limitKey(of: address))
        guard let excess = rates.take(1, call, by: caller, now: now()).excess else { return }
        throw Self.refusal(excess, call, caller, address: address).failure
    }

    /// Counts a call of a caller with a token.
    /// - Throws: ``APIFailure`` with `rate_limited`.
    func admit(_ call: CallerLimits.Call, _ credential: Credential) throws(APIFailure) {
        if let refusal = take(1, call, credential).refusal { throw refusal.failure }
    }

    /// Whether a caller's calls have a rate at all.
    func hasRate(_ call: CallerLimits.Call, _ credential: Credential) -> Bool {
        credential.caller.map { rates.hasRate(call, by: $0) } ?? false
    }

    /// Refuses a call where not even one is within the rate, and counts nothing.
    /// - Throws: ``APIFailure`` with `rate_limited`.
    func require(_ call: CallerLimits.Call, _ credential: Credential) throws(APIFailure) {
        guard let caller = credential.caller, let excess = rates.excess(call, by: caller, now: now()) else { return }
        throw Self.refusal(excess, call, caller).failure
    }

    /// Counts as many of some calls as are within the rate.
    /// - Returns: How many are, and why the others are refused.
    func take(
        _ wanted: Int, _ call: CallerLimits.Call, _ credential: Credential
    ) -> (count: Int, refusal: Refusal?) {
        guard let caller = credential.caller else { return (wanted, nil) }
        let grant = rates.take(wanted, call, by: caller, now: now())
        return (grant.count, grant.excess.map { Self.refusal($0, call, caller) })
    }

    private static func refusal(
        _ excess: CallerLimits.Excess, _ call: CallerLimits.Call, _ caller: CallerLimits.Caller, address: String = ""
    ) -> Refusal {
        func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
        let wait = "try again in \(count(excess.retryAfter, "second"))"
        let noun =
            switch (call, caller) {
            case (.command, _): "command"
            // One rate for views and events.
            case (_, .address), (.events, _): "read"
            case (.view, _): "view"
            case (.account, _): "call"
            }
        let limit = "\(count(excess.rate.perSecond, noun)) a second, burst \(excess.rate.burst)"
        let text =
            switch caller {
            case .session: "this user exceeds the limit of \(limit); \(wait)"
            case .machineToken where call == .account: "this token exceeds the limit of \(limit); \(wait)"
            case .machineToken: "this token exceeds its limit of \(limit) ([limits] in crowbar.toml); \(wait)"
            case .address:
                "calls without a token from \(address) exceed their limit of \(limit); use a token, or \(wait). "
                    + "Behind a proxy, name it in [http] trusted_proxies"
            }
        return Refusal(error: CommandError(.rateLimited, text), retryAfter: excess.retryAfter)
    }
}
