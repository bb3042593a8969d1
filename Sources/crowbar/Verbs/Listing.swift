import JSONBytes
import NIOHTTP1

/// A listing that a running server gives as an array of objects.
struct Listing {
    private let client: ControlClient
    private let path: String
    private let json: Bool

    init(_ settings: ConfigurationOption, _ path: String, json: Bool) throws {
        client = ControlClient(folder: try settings.load().data)
        self.path = path
        self.json = json
    }

    /// A name as a part of a path; the `/` of NAME/QUEUE stays.
    static func escape(_ name: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return name.utf8.reduce(into: "") { text, byte in
            let character = Character(Unicode.Scalar(byte))
            if byte < 0x80, character.isLetter || character.isNumber || "-_.~/:".contains(character) {
                text.append(character)
            } else {
                text += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }

    /// A name as one part of a path.
    static func escape(part name: String) -> String { escape(name).replacing("/", with: "%2F") }

    /// Prints the JSON as it came, or a table of it.
    /// - Returns: The elements.
    @discardableResult func print(columns: [Table.Column], rows: (JSON) -> [[JSON?]]) async throws -> [JSON] {
        let answer = try await client.request(.GET, path)
        if let refusal = answer.refusal { throw Refusal(refusal.message) }
        guard let elements = (try? JSON(parsing: answer.body))?.array else {
            throw Refusal("the server's answer is not a list")
        }
        if json {
            StandardStream.output.write(answer.body)
        } else {
            let table = Table(columns: columns, rows: elements.flatMap(rows))
            for line in table.lines { StandardStream.output.write(line: line) }
        }
        return elements
    }

    /// As ``print(columns:rows:)``, with cells as long as they are.
    func print(header: [String], rows: (JSON) -> [[JSON?]]) async throws {
        try await print(columns: header.map { Table.Column($0) }, rows: rows)
    }
}
