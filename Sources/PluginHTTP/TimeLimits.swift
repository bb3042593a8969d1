/// How long the parts of one try may take, in milliseconds.
package struct TimeLimits: Hashable, Sendable {
    /// Name and connection.
    package var connect: Int64 = 5000
    /// From the connection to the request: TLS, and a proxy's tunnel.
    package var secure: Int64 = 5000
    /// From the request to the answer's first byte.
    package var firstByte: Int64 = 15_000
    /// From the end of the answer's head to the end of its body; then the head alone counts.
    package var body: Int64 = 1000
    /// Everything, the answer's last byte included.
    package var all: Int64 = 30_000

    package init() {}

    /// The limits of a request whose answer's body matters.
    package init(whole: Int64) { (firstByte, body, all) = (whole, .max, whole) }

    /// What a try is doing.
    package enum Phase: Sendable {
        case connecting, securing, waiting, reading, body
    }

    /// Why a try is given up; nil: it goes on. libcurl watches ``all``.
    /// - Parameter elapsed: Milliseconds in this phase.
    package func overrun(_ phase: Phase, elapsed: Int64) -> String? {
        switch phase {
        case .connecting where elapsed >= connect: "there was no connection within \(Self.text(connect))"
        case .securing where elapsed >= secure: "TLS was not ready within \(Self.text(secure)) of the connection"
        case .waiting where elapsed >= firstByte: "no answer began within \(Self.text(firstByte))"
        case .connecting, .securing, .waiting, .reading, .body: nil
        }
    }

    /// Whether a body that does not end is waited for no longer. That is no failure: the head has said all.
    package func isBodyOver(_ phase: Phase, elapsed: Int64) -> Bool { phase == .body && elapsed >= body }

    private static func text(_ ms: Int64) -> String { ms % 1000 == 0 ? "\(ms / 1000) s" : "\(ms) ms" }
}
