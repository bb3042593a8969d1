/// The keys of an endpoint, of which every one that is still valid signs each request: so a receiver can go over from
/// one key to the next at its leisure.
struct Signer: Sendable {
    /// Keys of one endpoint at most.
    static let maxKeys = 8

    /// A key and its end.
    struct Key: Sendable {
        var key: SigningKey
        /// Unix time in seconds from which it signs no more; nil: never.
        var expires: Int64?

        /// Whether it signs at a time.
        func isValid(at time: Int64) -> Bool { expires.map { time < $0 } ?? true }
    }

    /// The keys, in the order given; none: nothing is signed.
    var keys: [Key]

    /// Whether the endpoint has keys and none is valid any more, so that nothing may be sent.
    func isExpired(at time: Int64) -> Bool { !keys.isEmpty && !keys.contains { $0.isValid(at: time) } }

    /// The value of `webhook-signature`: a signature by each valid key, separated by spaces; nil: there is none.
    /// - Parameters:
    ///   - id: `webhook-id`, the same for all tries.
    ///   - timestamp: `webhook-timestamp`, this try's Unix time in seconds.
    ///   - body: The body, as it goes out.
    func signatures(id: String, timestamp: Int64, body: [UInt8]) -> String? {
        let valid = keys.filter { $0.isValid(at: timestamp) }
        let signatures = valid.compactMap { $0.key.signature(id: id, timestamp: timestamp, body: body) }
        return signatures.isEmpty ? nil : signatures.joined(separator: " ")
    }
}
