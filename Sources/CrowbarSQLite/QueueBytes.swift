import CrowbarCore

/// The compact form of a queue's settled ranges and retries: LEB128 numbers, each range by its distance from the last.
enum QueueBytes {
    static func bytes(_ ranges: [ClosedRange<Int64>]) -> [UInt8] {
        var out: [UInt8] = []
        var last: Int64 = 0
        for range in ranges {
            put(range.lowerBound - last, &out)
            put(range.upperBound - range.lowerBound, &out)
            last = range.upperBound
        }
        return out
    }

    /// The ranges, or nil where the bytes are none.
    static func ranges(_ bytes: [UInt8]) -> [ClosedRange<Int64>]? {
        var rest = bytes[...]
        var ranges: [ClosedRange<Int64>] = []
        var last: Int64 = 0
        while !rest.isEmpty {
            guard let gap = number(&rest), let length = number(&rest) else { return nil }
            let (start, over) = last.addingReportingOverflow(gap)
            let (end, beyond) = start.addingReportingOverflow(length)
            guard !over, !beyond, length >= 0 else { return nil }
            ranges.append(start...end)
            last = end
        }
        return ranges
    }

    static func bytes(_ retries: [QueueRecord.Retry]) -> [UInt8] {
        var out: [UInt8] = []
        for retry in retries {
            for value in [retry.position, retry.deliveries, retry.counted, retry.due, retry.first] { put(value, &out) }
            for text in [retry.code, retry.message] {
                put(Int64(text.utf8.count), &out)
                out.append(contentsOf: text.utf8)
            }
        }
        return out
    }

    /// The retries, or nil where the bytes are none.
    static func retries(_ bytes: [UInt8]) -> [QueueRecord.Retry]? {
        var rest = bytes[...]
        var retries: [QueueRecord.Retry] = []
        while !rest.isEmpty {
            guard let position = number(&rest), let deliveries = number(&rest), let counted = number(&rest),
                let due = number(&rest), let first = number(&rest), let code = text(&rest), let message = text(&rest)
            else { return nil }
            retries.append(
                QueueRecord.Retry(
                    position: position, deliveries: deliveries, counted: counted, due: due, code: code,
                    message: message, first: first))
        }
        return retries
    }

    static func bytes(_ parked: [QueueRecord.Parked]) -> [UInt8] {
        var out: [UInt8] = []
        for lane in parked {
            for part in [Array(lane.lane.utf8), bytes([lane.first]), bytes(lane.settled)] {
                put(Int64(part.count), &out)
                out.append(contentsOf: part)
            }
        }
        return out
    }

    /// The parked lanes, or nil where the bytes are none.
    static func parked(_ bytes: [UInt8]) -> [QueueRecord.Parked]? {
        var rest = bytes[...]
        var parked: [QueueRecord.Parked] = []
        while !rest.isEmpty {
            guard let lane = text(&rest), let first = part(&rest).flatMap(retries), first.count == 1,
                let settled = part(&rest).flatMap(ranges)
            else { return nil }
            parked.append(QueueRecord.Parked(lane: lane, first: first[0], settled: settled))
        }
        return parked
    }

    private static func put(_ value: Int64, _ out: inout [UInt8]) {
        var rest = UInt64(bitPattern: value)
        while rest >= 0x80 {
            out.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        out.append(UInt8(rest))
    }

    private static func number(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = rest.popFirst(), shift < 64 {
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return Int64(bitPattern: value) }
            shift += 7
        }
        return nil
    }

    private static func text(_ rest: inout ArraySlice<UInt8>) -> String? {
        part(&rest).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func part(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        guard let count = number(&rest), count >= 0, count <= rest.count else { return nil }
        defer { rest = rest.dropFirst(Int(count)) }
        return Array(rest.prefix(Int(count)))
    }
}
