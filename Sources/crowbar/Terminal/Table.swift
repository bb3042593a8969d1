import JSONBytes

/// A table for people: aligned columns, one line a row, nothing in it that a terminal would obey. A pure value.
struct Table {
    /// A column.
    struct Column {
        var title: String
        /// The columns of a terminal that its cells take at most; nil for all that they need.
        var limit: Int?

        init(_ title: String, limit: Int? = nil) {
            self.title = title
            self.limit = limit
        }
    }

    let columns: [Column]
    let rows: [[JSON?]]

    /// The lines, the titles first.
    var lines: [String] {
        let cells = rows.map { row in
            zip(row, columns).map { value, column in
                let text = Self.cell(value)
                return column.limit.map { TerminalText.cut(text, to: $0) } ?? text
            }
        }
        let table = [columns.map(\.title)] + cells
        let widths = columns.indices.map { column in table.map { TerminalText.width($0[column]) }.max() ?? 0 }
        return table.map { row in
            var line = zip(row, widths)
                .map { $0 + String(repeating: " ", count: max(0, $1 - TerminalText.width($0))) }
                .joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    /// A value in a line for people.
    static func cell(_ value: JSON?) -> String {
        switch value {
        case .string(let text): text.isEmpty ? "-" : TerminalText.line(text)
        case nil, .null: "-"
        case .some(let other): TerminalText.line(String(decoding: other.bytes, as: UTF8.self))
        }
    }
}
