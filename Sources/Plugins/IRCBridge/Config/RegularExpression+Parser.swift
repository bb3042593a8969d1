extension RegularExpression {
    /// Reads the syntax of POSIX extended expressions, with the word escapes of GNU (`\w \s \b \< \>` and others).
    struct Parser {
        private let pattern: [UInt8]
        private var index = 0

        /// What a word is made of.
        static let word: Bytes = {
            var bytes = set { isLetter($0) || isDigit($0) }
            bytes.insert(0x5F)
            return bytes
        }()

        init(_ pattern: [UInt8]) { self.pattern = pattern }

        /// The whole expression.
        mutating func expression() throws(Problem) -> Node { try alternatives(depth: 0) }

        private var next: UInt8? { index < pattern.count ? pattern[index] : nil }

        private func isNext(_ text: StaticString) -> Bool {
            text.withUTF8Buffer { pattern[index...].starts(with: $0) }
        }

        private mutating func alternatives(depth: Int) throws(Problem) -> Node {
            var nodes = [try sequence(depth)]
            while isNext("|") {
                index += 1
                nodes.append(try sequence(depth))
            }
            return nodes.count == 1 ? nodes[0] : .alternatives(nodes)
        }

        private mutating func sequence(_ depth: Int) throws(Problem) -> Node {
            var nodes: [Node] = []
            // A ')' that closes nothing is a character like others, as it is in POSIX.
            while let byte = next, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") || depth == 0 {
                nodes.append(try repeated(try atom(byte, depth)))
            }
            return .sequence(nodes)
        }

        private mutating func atom(_ byte: UInt8, _ depth: Int) throws(Problem) -> Node {
            index += 1
            switch Unicode.Scalar(byte) {
            case "(":
                let inner = try alternatives(depth: depth + 1)
                guard isNext(")") else { throw Problem(message: "a '(' is not closed") }
                index += 1
                return inner
            case "[": return .bytes(try bracket())
            case ".": return .bytes(Bytes().inverted)
            case "^": return .place(.start)
            case "$": return .place(.end)
            case "\\": return try escape()
            case "*", "+", "?", "{":
                throw Problem(
                    message: "there is nothing before '\(Unicode.Scalar(byte))' to be repeated; write "
                        + "'\\\(Unicode.Scalar(byte))' for the character")
            default: return .bytes(Self.anyCase { $0 == byte })
            }
        }

        private mutating func repeated(_ node: Node) throws(Problem) -> Node {
            var node = node
            while let byte = next {
                switch Unicode.Scalar(byte) {
                case "*": node = .repetition(node, least: 0, most: nil)
                case "+": node = .repetition(node, least: 1, most: nil)
                case "?": node = .repetition(node, least: 0, most: 1)
                case "{":
                    let (least, most) = try counts()
                    node = .repetition(node, least: least, most: most)
                default: return node
                }
                if case .repetition(.place, _, _) = node {
                    throw Problem(message: "'\(Unicode.Scalar(byte))' repeats a place, not a character")
                }
                index += 1
            }
            return node
        }

        /// What is between braces; it ends before the closing one.
        private mutating func counts() throws(Problem) -> (least: Int, most: Int?) {
            index += 1
            let least = try number()
            var most = least
            if isNext(",") {
                index += 1
                most = isNext("}") ? nil : try number()
                // {,5} is at most five, {3,} at least three.
                if least == nil, most == nil { throw Self.badCounts }
            } else if least == nil {
                throw Self.badCounts
            }
            guard isNext("}"), least ?? 0 <= most ?? .max else { throw Self.badCounts }
            return (least ?? 0, most)
        }

        private mutating func number() throws(Problem) -> Int? {
            let digits = pattern[index...].prefix { Self.isDigit($0) }
            index += digits.count
            if digits.isEmpty { return nil }
            guard digits.count <= 3, let number = Int(String(decoding: digits, as: UTF8.self)),
                number <= Limit.repetitions
            else { throw Problem(message: "a count in braces is over \(Limit.repetitions)") }
            return number
        }

        private static let badCounts = Problem(
            message: "what is in braces is no count such as {3}, {3,} or {3,5}; write '\\{' for the character")

        private mutating func escape() throws(Problem) -> Node {
            guard let byte = next else { throw Problem(message: "it ends with '\\'") }
            index += 1
            switch Unicode.Scalar(byte) {
            case "w": return .bytes(Self.word)
            case "W": return .bytes(Self.word.inverted)
            case "s": return .bytes(Self.set(Self.isSpace))
            case "S": return .bytes(Self.set(Self.isSpace).inverted)
            case "b": return .place(.wordEdge)
            case "B": return .place(.insideWordOrNot)
            case "<": return .place(.wordStart)
            case ">": return .place(.wordEnd)
            case "`": return .place(.start)
            case "'": return .place(.end)
            case "1"..."9":
                throw Problem(message: "'\\\(Unicode.Scalar(byte))' refers back to a group, which is not supported")
            case "d", "D":
                throw Problem(message: "'\\\(Unicode.Scalar(byte))' is not POSIX; write [0-9] or [^0-9]")
            case _ where Self.isLetter(byte) || Self.isDigit(byte):
                throw Problem(message: "'\\\(Unicode.Scalar(byte))' has no meaning; leave the '\\' out")
            default: return .bytes(Self.anyCase { $0 == byte })
            }
        }

        // MARK: Brackets

        private mutating func bracket() throws(Problem) -> Bytes {
            let isInverted = isNext("^")
            if isInverted { index += 1 }
            var bytes = Bytes()
            let first = index
            while let byte = next, byte != UInt8(ascii: "]") || index == first {
                if isNext("[:") {
                    bytes.formUnion(try characterClass())
                    continue
                }
                let low = try member(byte)
                guard isNext("-"), index + 1 < pattern.count, pattern[index + 1] != UInt8(ascii: "]") else {
                    bytes.insert(low)
                    continue
                }
                index += 1
                let high = try member(pattern[index])
                guard low <= high else { throw Problem(message: "a range in brackets goes backwards") }
                for byte in low...high { bytes.insert(byte) }
            }
            guard next != nil else { throw Problem(message: "a '[' is not closed") }
            index += 1
            let both = Self.anyCase(bytes.contains)
            return isInverted ? both.inverted : both
        }

        private mutating func member(_ byte: UInt8) throws(Problem) -> UInt8 {
            if isNext("[.") || isNext("[=") {
                throw Problem(message: "[.x.] and [=x=] in brackets are not supported; write the character itself")
            }
            index += 1
            return byte
        }

        private mutating func characterClass() throws(Problem) -> Bytes {
            let name = pattern[(index + 2)...].prefix { Self.isLetter($0) }
            let text = String(decoding: name, as: UTF8.self)
            index += 2 + name.count
            guard isNext(":]"), let test = Self.classes[text] else {
                throw Problem(
                    message: "'[:\(text)' is none of "
                        + Self.classes.keys.sorted().map { "[:\($0):]" }.joined(separator: ", "))
            }
            index += 2
            return Self.set(test)
        }

        private static let classes: [String: @Sendable (UInt8) -> Bool] = [
            "alpha": { isLetter($0) }, "digit": { isDigit($0) }, "alnum": { isLetter($0) || isDigit($0) },
            // Case is ignored.
            "upper": { isLetter($0) }, "lower": { isLetter($0) }, "space": { isSpace($0) },
            "blank": { $0 == 0x20 || $0 == 0x09 }, "cntrl": { $0 < 0x20 || $0 == 0x7F },
            "print": { (0x20...0x7E).contains($0) }, "graph": { (0x21...0x7E).contains($0) },
            "punct": { (0x21...0x7E).contains($0) && !isLetter($0) && !isDigit($0) },
            "xdigit": { isDigit($0) || (0x61...0x66).contains($0 | 0x20) },
        ]

        private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
        private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
        private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

        private static func set(_ test: (UInt8) -> Bool) -> Bytes {
            var bytes = Bytes()
            for byte in UInt8.min...UInt8.max where test(byte) { bytes.insert(byte) }
            return bytes
        }

        /// The bytes of which one case passes.
        private static func anyCase(_ test: (UInt8) -> Bool) -> Bytes {
            set { test($0) || isLetter($0) && test($0 ^ 0x20) }
        }
    }
}
