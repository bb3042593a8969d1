import Synchronization

/// Makes event ids as UUIDs: version 7 for new events, version 8 for those derived from a cause (RFC 9562).
///
/// Version 7 begins with the time, so that ids made one after the other stand beside each other in an index: random ids
/// make inserts two to three times slower once the index outgrows the cache.
public final class EventIDSource: Sendable {
    private struct State {
        var milliseconds: Int64 = 0
        var counter: UInt16 = 0
    }

    private let state = Mutex(State())
    private let now: @Sendable () -> Int64
    private let random: @Sendable () -> UInt64

    /// Makes a source.
    /// - Parameters:
    ///   - now: The Unix time in milliseconds.
    ///   - random: 64 random bits a call.
    public init(now: @escaping @Sendable () -> Int64, random: @escaping @Sendable () -> UInt64) {
        self.now = now
        self.random = random
    }

    /// A new id, greater than every one before it from this source (RFC 9562, section 6.2, method 1: a counter within
    /// the millisecond).
    public func next() -> String {
        let time = now()
        let bits = random()
        let (milliseconds, counter) = state.withLock { state in
            if time > state.milliseconds {
                state.milliseconds = time
                // Room for at least 2,048 ids in the millisecond before the time is borrowed from.
                state.counter = UInt16(truncatingIfNeeded: bits >> 53)
            } else if state.counter < 0xFFF {
                state.counter += 1
            } else {
                state.milliseconds += 1
                state.counter = 0
            }
            return (state.milliseconds, state.counter)
        }
        let high = UInt64(bitPattern: milliseconds) << 16 | 0x7000 | UInt64(counter)
        return Self.text(high: high, low: bits & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }

    /// The id of an event that follows from something: a version 8 UUID of 48 bits of time and 74 bits of a digest.
    /// - Parameters:
    ///   - milliseconds: The cause's time, or nil to take these bits from the digest as well.
    ///   - digest: At least 16 bytes of a keyed hash over what it follows from.
    public static func derived(milliseconds: Int64?, digest: [UInt8]) -> String {
        func word(_ from: Int) -> UInt64 { digest[from..<from + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        let time = milliseconds.map { UInt64(bitPattern: $0) & 0xFFFF_FFFF_FFFF } ?? word(0) >> 16
        let high = time << 16 | 0x8000 | word(0) & 0xFFF
        return text(high: high, low: word(8) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }

    private static func text(high: UInt64, low: UInt64) -> String {
        String(unsafeUninitializedCapacity: 36) { out in
            var at = 0
            for nibble in 0..<32 {
                if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
                    out[at] = 0x2D
                    at += 1
                }
                let word = nibble < 16 ? high : low
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - nibble % 16 * 4)) & 15
                out[at] = digit < 10 ? 0x30 + digit : 0x57 + digit
                at += 1
            }
            return 36
        }
    }
}
