/// The time that a server's words say has to pass before something is allowed: `Retry after 4 seconds`,
/// `until you've been connected for 60 seconds or more`, `7 seconds remaining`, `try again in 00:05`.
///
/// A number with a unit is a time to wait only where a word beside it says so: a line may be `5 seconds long`.
struct NamedWait: Equatable, Sendable {
    /// What the time counts from.
    enum Origin: Sendable {
        /// The server's answer.
        case answer
        /// The client's JOIN.
        case join
        /// The client's registration.
        case registration
    }

    var seconds: Double
    var origin: Origin

    /// Words before a time that make it one to wait.
    private static let cues: Set<String> = [
        "wait", "waiting", "again", "retry", "after", "until", "connected", "remaining", "remain", "left", "cooldown",
        "expires", "join", "joined", "joining", "must", "need", "least", "within", "every", "per",
    ]
    /// Words behind a time that make it the one to wait, whatever other times are named.
    private static let closers: Set<String> = ["remaining", "remain", "left", "more"]
    /// How far before a time such a word may stand, in words.
    private static let reach = 8
    /// Words between a number and its unit.
    private static let fillers: Set<String> = ["more", "full", "whole", "further", "additional", "another", "other"]
    private static let numbers: [String: Double] = [
        "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
        "nine": 9, "ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30, "sixty": 60,
    ]

    /// Reads a server's words; nil where they name no time to wait.
    init?(_ words: String) {
        let small = ServerWords.withoutChannels(words).lowercased()
        let parts = Self.parts(small)
        var best: (seconds: Double, rank: Int)?
        var at = 0
        while at < parts.count {
            guard let (seconds, end) = Self.time(parts, at) else {
                at += 1
                continue
            }
            if let rank = Self.rank(parts, at, end), best.map({ rank < $0.rank }) ?? true { best = (seconds, rank) }
            at = end
        }
        guard let best else { return nil }
        seconds = best.seconds
        if small.contains("connected") || small.contains("registered with this server") {
            origin = .registration
        } else {
            origin = small.contains("join") || small.contains("in the channel for") ? .join : .answer
        }
    }

    /// The words: letters apart from digits, and times of a clock (`00:05`) and decimals in one piece.
    private static func parts(_ text: String) -> [String] {
        var parts: [String] = []
        var (last, lastSort) = ("", 0)
        func kind(_ character: Character) -> Int {
            if ("0"..."9").contains(character) { return 1 }
            return character.isLetter || character == "'" || character == "\u{2019}" ? 2 : 0
        }
        let characters = Array(text)
        for (i, character) in characters.enumerated() {
            var sort = kind(character)
            if sort == 0, ":.".contains(character), i > 0, i + 1 < characters.count, kind(characters[i - 1]) == 1,
                kind(characters[i + 1]) == 1
            {
                sort = 1
            }
            if !last.isEmpty, sort != lastSort {
                parts.append(last)
                last = ""
            }
            if sort != 0 { last.append(character) }
            lastSort = sort
        }
        return last.isEmpty ? parts : parts + [last]
    }

    /// The time that begins at a word: `1m30s`, `2 minutes and 5 seconds`, `00:05`.
    private static func time(_ parts: [String], _ start: Int) -> (seconds: Double, end: Int)? {
        if let seconds = clock(parts[start]) { return (seconds, start + 1) }
        if let first = single(parts, start) {
            var (sum, unit, at) = first
            while true {
                let next = at < parts.count && parts[at] == "and" ? at + 1 : at
                // A larger or equal unit starts another duration.
                guard let (seconds, smaller, end) = single(parts, next), smaller < unit else { return (sum, at) }
                (sum, unit, at) = (sum + seconds, smaller, end)
            }
        }
        // `Retry-After: 4` leaves the unit out.
        let isBare = start > 0 && ["after", "in"].contains(parts[start - 1]) && start == parts.count - 1
        return isBare ? number(parts[start]).map { ($0, start + 1) } : nil
    }

    private static func single(_ parts: [String], _ at: Int) -> (seconds: Double, unit: Double, end: Int)? {
        guard at < parts.count, let number = number(parts[at]) ?? numbers[parts[at]] else { return nil }
        var next = at + 1
        while next < parts.count, fillers.contains(parts[next]) { next += 1 }
        guard next < parts.count, let unit = unit(parts[next]) else { return nil }
        return (number * unit, unit, next + 1)
    }

    private static func number(_ part: String) -> Double? {
        guard part.utf8.count <= 9, part.utf8.first.map({ (0x30...0x39).contains($0) }) == true else { return nil }
        return Double(part)
    }

    private static func unit(_ part: String) -> Double? {
        switch part {
        case "ms", "msec", "msecs", "millisecond", "milliseconds": 0.001
        case "s", "sec", "secs", "second", "seconds": 1
        case "m", "min", "mins", "minute", "minutes": 60
        case "h", "hr", "hrs", "hour", "hours": 3600
        case "d", "day", "days": 86_400
        default: nil
        }
    }

    /// `MM:SS` or `HH:MM:SS`.
    private static func clock(_ part: String) -> Double? {
        let fields = part.split(separator: ":", omittingEmptySubsequences: false)
        guard (2...3).contains(fields.count), fields.allSatisfy({ (1...2).contains($0.utf8.count) }) else { return nil }
        var seconds = 0.0
        for field in fields {
            guard let number = Double(field) else { return nil }
            seconds = seconds * 60 + number
        }
        return seconds
    }

    /// How sure it is that a time is the one to wait, the least first; nil: it is none.
    private static func rank(_ parts: [String], _ start: Int, _ end: Int) -> Int? {
        if end < parts.count, parts[end] == "ago" { return nil }
        // A time of the day.
        if start > 0, parts[start].contains(":"), ["at", "until"].contains(parts[start - 1]) { return nil }
        if end < parts.count, closers.contains(parts[end]) { return 0 }
        let before = parts[max(0, start - reach)..<start].reversed()
        guard let cue = before.first(where: cues.contains) else { return nil }
        return ["every", "per", "within"].contains(cue) ? 2 : 1
    }
}
