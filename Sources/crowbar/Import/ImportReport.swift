import JSONBytes
import Settings

/// What an import made of each line of the original, as `IMPORT.md` says it.
struct ImportReport: Sendable {
    /// What became of a setting.
    enum Verdict: String, Sendable, CaseIterable {
        /// Crowbar does the same.
        case taken
        /// Crowbar does something like it, or the setting has no effect here.
        case changed
        /// Crowbar cannot do it.
        case noCounterpart = "no counterpart"
    }

    /// A verdict with its reason, in Markdown.
    struct Mark: Sendable, Equatable {
        var verdict: Verdict
        var text: String

        init(_ verdict: Verdict, _ text: String) {
            self.verdict = verdict
            self.text = text
        }

        static func taken(_ text: String) -> Mark { Mark(.taken, text) }
        static func changed(_ text: String) -> Mark { Mark(.changed, text) }
        static func none(_ text: String) -> Mark { Mark(.noCounterpart, text) }
    }

    private let original: MatterbridgeFile
    private var marks: [[Mark]]
    /// Entries whose value is shown: of these it is known that they hold no secret.
    private var shown: [Int: String] = [:]

    init(_ original: MatterbridgeFile) {
        self.original = original
        marks = Array(repeating: [], count: original.entries.count)
    }

    /// Notes what became of an entry; an entry can get several.
    mutating func mark(_ entry: Int, _ mark: Mark) {
        if !marks[entry].contains(mark) { marks[entry].append(mark) }
    }

    /// Notes what became of a setting whose value is no secret.
    mutating func mark(showing setting: MatterbridgeFile.Setting, _ mark: Mark) {
        let value = String(decoding: setting.value.bytes, as: UTF8.self)
        // A line with an inline table has several.
        shown[setting.entry] = shown[setting.entry].map { $0 == value ? value : "…" } ?? value
        self.mark(setting.entry, mark)
    }

    /// Whether something was noted of an entry.
    func isMarked(_ entry: Int) -> Bool { !marks[entry].isEmpty }

    /// The verdict on an entry: `changed` where its parts differ.
    func verdict(_ entry: Int) -> Verdict {
        let verdicts = Set(marks[entry].map(\.verdict))
        return verdicts.count == 1 ? verdicts.first ?? .noCounterpart : verdicts.isEmpty ? .noCounterpart : .changed
    }

    /// How many entries have a verdict.
    func count(_ verdict: Verdict) -> Int { marks.indices.count { self.verdict($0) == verdict } }

    // MARK: Markdown

    /// The table of all entries, and the lines without one.
    var markdown: String {
        var text = "| line | original | result | what became of it |\n|---|---|---|---|\n"
        for (index, entry) in original.entries.enumerated() {
            let reasons = marks[index].map(\.text).joined(separator: "; ")
            text +=
                "| \(Self.lines(entry.lines)) | \(code(index)) | \(verdict(index).rawValue) | "
                + "\(reasons.isEmpty ? "the import does not know this key" : reasons) |\n"
        }
        let empty = emptyLines.map(Self.lines).joined(separator: ", ")
        return text + (empty.isEmpty ? "" : "\nComments and empty lines, of which nothing was read: \(empty)\n")
    }

    /// The lines that hold nothing but comments.
    private var emptyLines: [ClosedRange<Int>] {
        var (next, empty): (Int, [ClosedRange<Int>]) = (1, [])
        for entry in original.entries {
            if next < entry.lines.lowerBound { empty.append(next...(entry.lines.lowerBound - 1)) }
            next = max(next, entry.lines.upperBound + 1)
        }
        if next <= original.lineCount { empty.append(next...original.lineCount) }
        return empty
    }

    private static func lines(_ range: ClosedRange<Int>) -> String {
        range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)–\(range.upperBound)"
    }

    /// An entry as code; a value only where it is known to be no secret.
    private func code(_ index: Int) -> String {
        let entry = original.entries[index]
        let names = entry.path.filter { !$0.hasPrefix("[") }
        guard entry.isHeader else { return Self.code("\(names.last ?? "") = \(shown[index] ?? "…")") }
        let name = names.joined(separator: ".")
        return Self.code(entry.path.last?.hasPrefix("[") == true ? "[[\(name)]]" : "[\(name)]")
    }

    /// The longest text of a cell, in characters.
    private static let longest = 80

    /// A text from the file as code in a cell of a table.
    static func code(_ text: String) -> String {
        let line = TerminalText.line(text).replacing("`", with: "'").replacing("|", with: "\\|")
        return "`\(line.count > longest ? line.prefix(longest - 1) + "…" : line)`"
    }
}
