import Glibc

/// Cuts a stream of bytes into lines at LF, whatever pieces it comes in, never holding more than one line's limit.
///
/// A line over the limit is dropped up to its LF and reported once, so that the reader never stops and never grows.
public struct LineSplitter: Sendable {
    /// What the stream gave.
    public enum Piece {
        /// A whole line without its LF. The bytes are valid during the call only.
        case line(UnsafeRawBufferPointer)
        /// A line that was longer than the limit was dropped; its length in bytes.
        case tooLong(Int)
    }

    /// The longest line that is kept, in bytes.
    public let limit: Int
    private var partial: [UInt8] = []
    private var dropped = 0

    /// Makes a splitter.
    /// - Parameter limit: The longest line to keep, in bytes.
    public init(limit: Int = Wire.maxLine) { self.limit = limit }

    /// Takes the next bytes and hands each line that ends in them to `body`, in order.
    public mutating func feed(_ bytes: UnsafeRawBufferPointer, _ body: (Piece) throws -> Void) rethrows {
        var rest = bytes
        while let base = rest.baseAddress, rest.count > 0 {
            guard let found = memchr(base, 0x0A, rest.count) else {
                keep(rest)
                return
            }
            let length = UnsafeRawPointer(found) - base
            let line = UnsafeRawBufferPointer(rebasing: rest[..<length])
            rest = UnsafeRawBufferPointer(rebasing: rest[(length + 1)...])
            if dropped > 0 || partial.count + length > limit {
                let total = dropped + partial.count + length
                partial.removeAll(keepingCapacity: false)
                dropped = 0
                try body(.tooLong(total))
            } else if partial.isEmpty {
                try body(.line(line))
            } else {
                partial.append(contentsOf: line)
                let whole = partial
                partial.removeAll(keepingCapacity: whole.count <= 64 << 10)
                try whole.withUnsafeBytes { try body(.line($0)) }
            }
        }
    }

    /// Hands over what stands behind the last LF, when the stream has ended.
    public mutating func finish(_ body: (Piece) throws -> Void) rethrows {
        let (rest, lost) = (partial, dropped)
        partial = []
        dropped = 0
        if lost > 0 {
            try body(.tooLong(lost))
        } else if !rest.isEmpty {
            try rest.withUnsafeBytes { try body(.line($0)) }
        }
    }

    private mutating func keep(_ bytes: UnsafeRawBufferPointer) {
        if dropped > 0 {
            dropped += bytes.count
        } else if partial.count + bytes.count > limit {
            dropped = partial.count + bytes.count
            partial = []
        } else {
            partial.append(contentsOf: bytes)
        }
    }
}
