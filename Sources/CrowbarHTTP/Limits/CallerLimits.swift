/// Token buckets of all callers, one for each caller and kind of call. A value: the time is passed in.
struct CallerLimits: Sendable {
    /// Who calls, as far as rates are concerned.
    enum Caller: Hashable, Sendable {
        /// A signed-in person, by the user's id: all their sessions share one rate.
        case session(String)
        /// A program's token, by its hash.
        case machineToken([UInt8])
        /// Everybody without a token at an address, by ``IPAddress/limitKey(of:)``.
        case address(String)
    }

    /// What is called.
    enum Call: Hashable, Sendable {
        /// A command; each line of an NDJSON body is one.
        case command
        /// A view.
        case view
        /// A page of events, or the start of an event stream.
        case events
        /// A call about the caller's own account.
        case account
    }

    /// What a caller gets of the calls that it asks for.
    struct Grant: Equatable, Sendable {
        /// Calls that are within the rate.
        var count: Int
        /// The rate that the others exceed, and whole seconds until the next call is within it; nil if all are within.
        var excess: Excess?
    }

    /// A rate that was exceeded.
    struct Excess: Equatable, Sendable {
        /// The rate.
        var rate: CallRate
        /// Whole seconds until the next call is accepted, 1 or more.
        var retryAfter: Int
    }

    /// Buckets that are remembered at most. A bucket that is full again needs no memory.
    static let maxBuckets = 16_384

    private struct Key: Hashable {
        var caller: Caller
        var call: Call
    }

    /// The rates of machine tokens.
    var machineTokens: MachineTokenRates
    /// For each bucket the time at which it is full again, in Unix nanoseconds.
    private var full: [Key: Int64] = [:]

    init(machineTokens: MachineTokenRates = MachineTokenRates()) { self.machineTokens = machineTokens }

    /// Buckets that are remembered.
    var count: Int { full.count }

    /// The rate of a caller's calls; nil if they have none.
    func rate(of call: Call, by caller: Caller) -> CallRate? {
        switch (caller, call) {
        case (.session, .command): APIConfiguration.Limit.sessionCommands
        case (.session, .view): APIConfiguration.Limit.sessionViews
        case (.machineToken, .command): machineTokens.commands
        case (.machineToken, .view): machineTokens.views
        case (.session, .events): APIConfiguration.Limit.sessionEvents
        case (.machineToken, .events): machineTokens.events
        case (.address, _): APIConfiguration.Limit.addressReads
        case (_, .account): APIConfiguration.Limit.accountCalls
        }
    }

    /// Takes calls out of a bucket, as many as there are.
    /// - Parameters:
    ///   - wanted: Calls that the caller makes.
    ///   - now: The Unix time in milliseconds.
    mutating func take(_ wanted: Int, _ call: Call, by caller: Caller, now: Int64) -> Grant {
        guard let rate = rate(of: call, by: caller) else { return Grant(count: wanted, excess: nil) }
        let (key, now) = (Self.key(call, caller), now * 1_000_000)
        let until = settle(key, rate, now)
        let count = min(wanted, Self.free(until, rate, now))
        let after = until + Int64(count) * rate.interval
        if count > 0 {
            if full[key] == nil { makeRoom(now) }
            full[key] = after
        }
        return Grant(count: count, excess: count < wanted ? Self.excess(after, rate, now) : nil)
    }

    /// Why a caller's next call would be refused; nil if it would not. It takes nothing.
    mutating func excess(_ call: Call, by caller: Caller, now: Int64) -> Excess? {
        guard let rate = rate(of: call, by: caller) else { return nil }
        let now = now * 1_000_000
        let until = settle(Self.key(call, caller), rate, now)
        return Self.free(until, rate, now) > 0 ? nil : Self.excess(until, rate, now)
    }

    /// An address has one bucket for all that it reads.
    private static func key(_ call: Call, _ caller: Caller) -> Key {
        if case .address = caller { return Key(caller: caller, call: .events) }
        return Key(caller: caller, call: call)
    }

    /// When a bucket is full again. If the clock was set back, or the rate was changed, it is no later than for an
    /// empty bucket: nobody waits longer for it, and nobody gains a full bucket by it.
    private mutating func settle(_ key: Key, _ rate: CallRate, _ now: Int64) -> Int64 {
        guard let known = full[key] else { return now }
        let latest = now + rate.refill
        if known > latest { full[key] = latest }
        return min(max(known, now), latest)
    }

    private static func free(_ until: Int64, _ rate: CallRate, _ now: Int64) -> Int {
        Int((now + rate.refill - until) / rate.interval)
    }

    private static func excess(_ until: Int64, _ rate: CallRate, _ now: Int64) -> Excess {
        let wait = until + rate.interval - (now + rate.refill)
        return Excess(rate: rate, retryAfter: max(1, Int((wait + 999_999_999) / 1_000_000_000)))
    }

    /// Forgets buckets where there are too many: the full ones, and if these are few, the half that is full again
    /// first. So a caller cannot get its own empty bucket forgotten by calls of others that hardly use theirs, and the
    /// cost of forgetting is shared by as many calls as were forgotten.
    private mutating func makeRoom(_ now: Int64) {
        guard full.count >= Self.maxBuckets else { return }
        full = full.filter { $0.value > now }
        guard full.count > Self.maxBuckets / 2 else { return }
        let kept = full.sorted { $0.value > $1.value }.prefix(Self.maxBuckets / 2)
        full = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    }
}
