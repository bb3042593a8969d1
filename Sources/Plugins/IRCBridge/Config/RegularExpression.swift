/// A POSIX extended regular expression over bytes, case ignored in ASCII, whose matching takes time linear in the text.
///
/// It is a Thompson automaton that is simulated, all its states at once, byte by byte: no text makes it go back, so
/// that `(a+)+$` costs as little as `a`. A match takes at most as many steps as there are instructions for each byte.
/// What cannot be matched so (back-references) is refused when the expression is read.
struct RegularExpression: Sendable {
    /// Limits.
    enum Limit {
        /// Instructions of one expression, its repetitions written out.
        static let instructions = 1_000
        /// The highest count in braces.
        static let repetitions = 255
    }

    /// Why a text is no expression, for the person who wrote it.
    struct Problem: Error, Equatable {
        var message: String
    }

    /// What is asked of a place between two bytes.
    enum Place: Sendable, Equatable {
        case start, end, wordEdge, insideWordOrNot, wordStart, wordEnd
    }

    /// A set of bytes.
    struct Bytes: Sendable, Equatable {
        private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

        static func == (a: Bytes, b: Bytes) -> Bool { a.words == b.words }

        func contains(_ byte: UInt8) -> Bool {
            let bit = UInt64(1) << UInt64(byte & 63)
            switch byte >> 6 {
            case 0: return words.0 & bit != 0
            case 1: return words.1 & bit != 0
            case 2: return words.2 & bit != 0
            default: return words.3 & bit != 0
            }
        }

        mutating func insert(_ byte: UInt8) {
            let bit = UInt64(1) << UInt64(byte & 63)
            switch byte >> 6 {
            case 0: words.0 |= bit
            case 1: words.1 |= bit
            case 2: words.2 |= bit
            default: words.3 |= bit
            }
        }

        mutating func formUnion(_ other: Bytes) {
            words = (
                words.0 | other.words.0, words.1 | other.words.1, words.2 | other.words.2, words.3 | other.words.3
            )
        }

        var inverted: Bytes {
            var other = Bytes()
            other.words = (~words.0, ~words.1, ~words.2, ~words.3)
            return other
        }
    }

    /// What an expression is made of.
    indirect enum Node {
        case nothing
        case bytes(Bytes)
        case place(Place)
        case sequence([Node])
        case alternatives([Node])
        /// From `least` to `most` times, without an end where that is nil.
        case repetition(Node, least: Int, most: Int?)
    }

    private enum Instruction: Sendable {
        case bytes(Bytes)
        case place(Place)
        case jump(Int)
        case split(Int, Int)
        case match
    }

    private var program: [Instruction] = []

    /// The instructions: what a byte costs at most.
    var size: Int { program.count }

    /// Reads an expression.
    init(_ pattern: some Collection<UInt8>) throws(Problem) {
        var parser = Parser(Array(pattern))
        try emit(try parser.expression())
        try add(.match)
    }

    // MARK: Instructions

    private mutating func add(_ instruction: Instruction) throws(Problem) {
        guard program.count < Limit.instructions else {
            throw Problem(
                message: "it is too large: with its repetitions written out it has over \(Limit.instructions) steps")
        }
        program.append(instruction)
    }

    private mutating func emit(_ node: Node) throws(Problem) {
        switch node {
        case .nothing: break
        case .bytes(let bytes): try add(.bytes(bytes))
        case .place(let place): try add(.place(place))
        case .sequence(let nodes): for node in nodes { try emit(node) }
        case .alternatives(let nodes):
            var jumps: [Int] = []
            for node in nodes.dropLast() {
                let split = program.count
                try add(.split(split + 1, 0))
                try emit(node)
                jumps.append(program.count)
                try add(.jump(0))
                program[split] = .split(split + 1, program.count)
            }
            if let last = nodes.last { try emit(last) }
            for jump in jumps { program[jump] = .jump(program.count) }
        case .repetition(let node, let least, let most):
            for _ in 0..<least { try emit(node) }
            guard let most else { return try emitLoop(node) }
            var splits: [Int] = []
            for _ in least..<most {
                splits.append(program.count)
                try add(.split(program.count + 1, 0))
                try emit(node)
            }
            for split in splits { program[split] = .split(split + 1, program.count) }
        }
    }

    private mutating func emitLoop(_ node: Node) throws(Problem) {
        let split = program.count
        try add(.split(split + 1, 0))
        try emit(node)
        try add(.jump(split))
        program[split] = .split(split + 1, program.count)
    }

    // MARK: Matching

    /// Whether it fits some part of a text.
    func matches(_ text: [UInt8]) -> Bool { match(text).isMatch }

    /// As ``matches(_:)``, with the steps that it took: at most ``size`` for each byte and once more at the end.
    func match(_ text: [UInt8]) -> (isMatch: Bool, steps: Int) {
        var (steps, current, next): (Int, [Int], [Int]) = (0, [], [])
        var pending: [Int] = []
        // At which place an instruction was looked at last.
        var seen = [Int](repeating: -1, count: program.count)
        /// Follows all that needs no byte from an instruction on; true where that is a match.
        func follow(_ start: Int, at place: Int, _ states: inout [Int]) -> Bool {
            pending.append(start)
            while let index = pending.popLast() {
                if seen[index] == place { continue }
                seen[index] = place
                steps += 1
                switch program[index] {
                case .match: return true
                case .bytes: states.append(index)
                case .jump(let to): pending.append(to)
                case .split(let a, let b):
                    pending.append(b)
                    pending.append(a)
                case .place(let wanted): if Self.isPlace(wanted, at: place, in: text) { pending.append(index + 1) }
                }
            }
            return false
        }
        for place in 0...text.count {
            // A match may begin anywhere.
            if follow(0, at: place, &current) { return (true, steps) }
            guard place < text.count else { break }
            next.removeAll(keepingCapacity: true)
            for index in current {
                if case .bytes(let bytes) = program[index], bytes.contains(text[place]),
                    follow(index + 1, at: place + 1, &next)
                {
                    return (true, steps)
                }
            }
            swap(&current, &next)
        }
        return (false, steps)
    }

    private static func isPlace(_ place: Place, at index: Int, in text: [UInt8]) -> Bool {
        let before = index > 0 && Parser.word.contains(text[index - 1])
        let after = index < text.count && Parser.word.contains(text[index])
        return switch place {
        case .start: index == 0
        case .end: index == text.count
        case .wordEdge: before != after
        case .insideWordOrNot: before == after
        case .wordStart: !before && after
        case .wordEnd: before && !after
        }
    }
}
