/// How long to wait before the next try to connect.
struct BackOff: Equatable, Sendable {
    /// The first wait, in seconds.
    static let first = 1.0
    /// The longest wait, in seconds.
    static let longest = 300.0
    /// How long a registered connection must have lasted to start again from the first wait, in seconds.
    static let healthy = 60.0
    /// The wait after the server has refused this client for good, in seconds.
    static let refused = 600.0

    private var next = Self.first

    /// The wait after a failure: doubled each time, spread over its upper half.
    /// - Parameter random: From 0 up to 1.
    mutating func wait(random: Double) -> Double {
        let wait = next
        next = min(next * 2, Self.longest)
        return wait * (0.5 + random / 2)
    }

    /// Notes how long a connection was registered, in seconds.
    mutating func wasRegistered(for seconds: Double) {
        if seconds >= Self.healthy { next = Self.first }
    }
}
