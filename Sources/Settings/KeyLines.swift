/// Where the keys of a TOML text stand. The parser tells lines only of what it cannot parse; a person who wrote a wrong
/// key into a text that does parse wants to be told its line all the same.
struct KeyLines: Sendable {
    private var lines: [[String]: Int] = [:]

    /// Reads a text that the parser has taken.
    init(_ text: String) {
        for entry in TOMLOutline(text).entries where lines[entry.path] == nil {
            lines[entry.path] = entry.lines.lowerBound
        }
    }

    /// The line of a key, or of the nearest table around it that has one.
    func line(of path: [String]) -> Int? {
        var path = path
        while !path.isEmpty {
            if let line = lines[path] { return line }
            path.removeLast()
        }
        return nil
    }
}
