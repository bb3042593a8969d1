/// The parts of a message in which nothing calls anybody: code blocks, code spans and URLs.
struct QuietRanges {
    /// A place in the text.
    typealias Index = String.UnicodeScalarView.Index

    /// In order, without overlaps.
    private let ranges: [Range<Index>]
    private var next = 0

    /// Finds them in one pass over the text.
    init(_ text: String) {
        let scalars = text.unicodeScalars
        let code = Self.code(scalars)
        var ranges: [Range<Index>] = []
        var remaining = code[...]
        for url in Self.urls(scalars) {
            while let first = remaining.first, first.lowerBound <= url.lowerBound {
                ranges.append(first)
                remaining.removeFirst()
            }
            // A URL within code is code; code within a URL is part of the URL.
            if let last = ranges.last, last.upperBound > url.lowerBound { continue }
            ranges.append(url)
            while let first = remaining.first, first.lowerBound < url.upperBound { remaining.removeFirst() }
        }
        self.ranges = ranges + remaining
    }

    /// The end of the range that begins at a place, or nil; places must be asked for in ascending order.
    mutating func end(at index: Index) -> Index? {
        while next < ranges.count, ranges[next].lowerBound < index { next += 1 }
        guard next < ranges.count, ranges[next].lowerBound == index else { return nil }
        return ranges[next].upperBound
    }

    /// Code as CommonMark has it: a run of backquotes up to the next run of the same length; a run of three or more at
    /// the start of a line without another of its length goes to the end of the text, as a block that is not closed.
    private static func code(_ scalars: String.UnicodeScalarView) -> [Range<Index>] {
        var runs: [(range: Range<Index>, length: Int, startsLine: Bool)] = []
        var at = scalars.startIndex
        var startsLine = true
        while at < scalars.endIndex {
            guard scalars[at] == "`" else {
                startsLine = scalars[at] == "\n" || (startsLine && scalars[at] == " ")
                at = scalars.index(after: at)
                continue
            }
            let start = at
            var length = 0
            while at < scalars.endIndex, scalars[at] == "`" {
                length += 1
                at = scalars.index(after: at)
            }
            runs.append((start..<at, length, startsLine))
            startsLine = false
        }
        // The runs of each length, so that the closing one is found without a search.
        var byLength: [Int: [Int]] = [:]
        for (index, run) in runs.enumerated() { byLength[run.length, default: []].append(index) }
        var cursor: [Int: Int] = [:]
        var found: [Range<Index>] = []
        var index = 0
        while index < runs.count {
            let run = runs[index]
            let same = byLength[run.length, default: []]
            var place = cursor[run.length, default: 0]
            while place < same.count, same[place] <= index { place += 1 }
            cursor[run.length] = place
            if place < same.count {
                found.append(run.range.lowerBound..<runs[same[place]].range.upperBound)
                index = same[place] + 1
            } else if run.startsLine, run.length >= 3 {
                found.append(run.range.lowerBound..<scalars.endIndex)
                break
            } else {
                index += 1
            }
        }
        return found
    }

    /// The longest scheme that is looked for, in characters.
    private static let maxScheme = 32

    /// `scheme://` and all up to white space or an angle bracket.
    private static func urls(_ scalars: String.UnicodeScalarView) -> [Range<Index>] {
        var found: [Range<Index>] = []
        var at = scalars.startIndex
        while let colon = scalars[at...].firstIndex(of: ":") {
            at = scalars.index(after: colon)
            guard scalars[at...].starts(with: "//".unicodeScalars) else { continue }
            var start = colon
            var length = 0
            while start > scalars.startIndex, length < maxScheme {
                let before = scalars.index(before: start)
                guard isScheme(scalars[before]) else { break }
                start = before
                length += 1
            }
            guard start < colon else { continue }
            let end = scalars[at...].firstIndex { $0.properties.isWhitespace || $0 == "<" || $0 == ">" }
            found.append(start..<(end ?? scalars.endIndex))
            at = end ?? scalars.endIndex
        }
        return found
    }

    private static func isScheme(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "+", "-", ".": true
        default: false
        }
    }
}
