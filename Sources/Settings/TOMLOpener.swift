/// The innermost text, list or inline table that is open at a place of a TOML text.
struct TOMLOpener: Equatable {
    /// Where it begins, from 1.
    let line: Int
    /// The column in bytes, from 1.
    let column: Int

    /// - Parameter end: The place, in bytes; nil is the result where nothing is open there.
    init?(_ text: String, before end: Int) {
        let bytes = Array(text.utf8.prefix(end))
        var open: [TOMLOpener] = []
        var (at, line, lineStart, isInValue) = (0, 1, 0, false)
        func here() -> TOMLOpener { TOMLOpener(line: line, column: at - lineStart + 1) }
        while at < bytes.count {
            switch bytes[at] {
            case 0x0A:
                (line, lineStart) = (line + 1, at + 1)
                if open.isEmpty { isInValue = false }
            case 0x23: while at + 1 < bytes.count, bytes[at + 1] != 0x0A { at += 1 }
            case 0x22, 0x27:
                let start = here()
                guard let close = Self.end(ofTextAt: at, bytes) else {
                    self = start
                    return
                }
                for i in at..<close where bytes[i] == 0x0A { (line, lineStart) = (line + 1, i + 1) }
                at = close
            case 0x3D: isInValue = true
            case 0x5B where isInValue, 0x7B where isInValue: open.append(here())
            case 0x5D where isInValue, 0x7D where isInValue: _ = open.popLast()
            default: break
            }
            at += 1
        }
        guard let last = open.last else { return nil }
        self = last
    }

    private init(line: Int, column: Int) { (self.line, self.column) = (line, column) }

    /// The index of a text's last quote; nil where there is none.
    private static func end(ofTextAt start: Int, _ bytes: [UInt8]) -> Int? {
        let quote = bytes[start]
        func isTriple(_ i: Int) -> Bool { i + 2 < bytes.count && bytes[i...(i + 2)].allSatisfy { $0 == quote } }
        let isLong = isTriple(start)
        var at = start + (isLong ? 3 : 1)
        while at < bytes.count {
            if bytes[at] == 0x5C, quote == 0x22 {
                at += 2
                continue
            }
            if isLong {
                if isTriple(at) { return at + 2 }
            } else if bytes[at] == quote {
                return at
            }
            at += 1
        }
        return nil
    }
}
