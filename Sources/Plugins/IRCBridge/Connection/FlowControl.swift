/// How much is written to a server before it has confirmed earlier lines, and how fast. It adapts to the server as
/// TCP's congestion control does to a network (RFC 5681): answers that come late, and connections that end for
/// flooding, lower both; answers in time raise them again.
///
/// Servers read a client's lines at their own pace and end the connection over a limit that they do not announce:
/// ircu reads a line every 2 s and ends it over 1,024 waiting bytes, InspIRCd counts lines within a time. What was
/// written and not confirmed then has to be written again, and without adapting it would end the next connection as
/// well.
struct FlowControl: Equatable, Sendable {
    /// An answer that takes longer than this is late, in seconds: the server has lines waiting that it has not read.
    static let lateAfter = 5.0
    /// Lines that may be unconfirmed at a server that keeps up. A server that slows clients down (ngIRCd: 2.5 lines a
    /// second) must answer the fence behind so many well within ``ConnectionState/dead``.
    static let mostLines = 128
    /// Bytes that may be unconfirmed at a server that keeps up. InspIRCd ends connections of which it has 8 KiB that it
    /// has not read.
    static let mostBytes = 6144
    /// The least of them: room for one line of any length.
    static let leastBytes = 512
    /// The smallest share of the configured rate.
    static let leastShare = 1.0 / 16
    /// What an answer in time adds to the share.
    static let recovery = 1.0 / 64
    /// Lines a second that halving begins from where no limit is configured and the server turns out to have one.
    static let impliedRate = 8.0

    /// Lines that may be unconfirmed.
    private(set) var lines = mostLines
    /// Bytes that may be unconfirmed.
    private(set) var bytes = mostBytes
    /// The share of the configured rate at which lines are written, up to 1.
    private(set) var share = 1.0
    /// How long after a connection ended for flooding the rate stays as it is, in seconds. To probe for more costs a
    /// connection each time, and not just a packet as with TCP.
    static let floodMemory = 3600.0
    /// Lines a second while messages are written again after such an end: each may be written only once more.
    static let retryRate = 0.5

    /// Whether a connection ended for flooding, and the rate has not recovered since.
    private(set) var hasFlooded = false
    private var floodedAt: Instant = 0
    /// Whether the server drops messages that come too fast, and the rate has not recovered since.
    private(set) var hasThrottled = false
    private var throttledAt: Instant = 0
    /// How long after a server has dropped messages the rate stays as it is, in seconds: to probe for more costs only
    /// that they are written again.
    static let throttleMemory = 300.0
    /// What was written before this was written at the old rate, and says nothing about the new one.
    private var changedAt: Instant = 0

    init() {}

    /// - Parameter share: The share of the rate that was kept from an earlier run.
    init(share: Double) {
        self.share = min(max(share, Self.leastShare), 1)
        hasFlooded = share < 1
        if share < 1 { lines = 1 }
    }

    /// Whether less is written than the configuration allows.
    var isReduced: Bool { self.share < 1 || lines < Self.mostLines || bytes < Self.mostBytes }

    /// Lines a second in the long run; 0: no limit.
    /// - Parameters:
    ///   - configured: As the configuration has it.
    ///   - isRetrying: Whether messages wait that were written before and not confirmed.
    func rate(_ configured: Double, isRetrying: Bool = false) -> Double {
        guard hasFlooded || hasThrottled else { return configured * share }
        let rate = (configured > 0 ? configured : Self.impliedRate) * share
        return isRetrying && hasFlooded ? min(rate, Self.retryRate) : rate
    }

    /// The server has answered what was written at an instant.
    mutating func answered(from written: Instant, now: Instant) {
        guard written >= changedAt else { return }
        guard now - written <= Self.lateAfter else { return reduce(share: 0.75, now: now) }
        lines = min(lines * 2, Self.mostLines)
        bytes = min(bytes + Self.leastBytes, Self.mostBytes)
        if hasFlooded, now - floodedAt < Self.floodMemory { return }
        if hasThrottled, now - throttledAt < Self.throttleMemory { return }
        share = min(share + Self.recovery, 1)
        if share == 1 { (hasFlooded, hasThrottled) = (false, false) }
    }

    /// The server has dropped messages because they came too fast. The connection stands, so that less is at risk than
    /// where it ends for flooding, and no more is taken back than the rate.
    mutating func throttled(now: Instant) {
        share = max(share * 0.5, Self.leastShare)
        (hasThrottled, throttledAt, changedAt) = (true, now, now)
    }

    /// The connection has ended, or the client was thrown out of a channel, with lines unconfirmed.
    /// - Parameter isFlood: Whether the server named flooding as its reason.
    mutating func ended(isFlood: Bool, now: Instant) {
        if isFlood {
            (hasFlooded, floodedAt) = (true, now)
            reduce(share: 0.5, now: now)
        }
        // The next line is confirmed before another one is written.
        lines = 1
        changedAt = now
    }

    private mutating func reduce(share factor: Double, now: Instant) {
        share = max(share * factor, Self.leastShare)
        bytes = max(bytes / 2, Self.leastBytes)
        lines = max(lines / 2, 1)
        changedAt = now
    }

    /// Whether a server's last words name flooding as the reason.
    static func isFlood(_ words: String) -> Bool {
        let small = words.lowercased()
        return ["flood", "recvq", "recv queue", "receive queue", "throttl", "too fast", "rate limit"].contains {
            small.contains($0)
        }
    }
}
