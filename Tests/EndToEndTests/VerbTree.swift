import JSONBytes
import Testing

/// Every verb of `crowbar` with its arguments, as the binary itself describes them: a table of tests over it leaves no
/// verb out.
struct VerbTree {
    struct Verb: Sendable, CustomTestStringConvertible {
        /// Its words: `["token", "revoke"]`.
        var words: [String]
        var positions: [Position]
        /// Options that take a value, without `--config`: `--as`.
        var options: [String]

        var testDescription: String { words.joined(separator: " ") }

        /// A call with all its arguments.
        var call: [String] { words + positions.map(\.sample) + extra }

        /// What it wants besides.
        var extra: [String] {
            if words == ["user", "link"] { return ["--sub", "s-1"] }
            if words == ["user", "erase"] { return ["--yes"] }
            return switch words.first {
            case "replay": ["--from", "beginning"]
            case "erase": ["--yes"]
            case "page": ["--api", "http://127.0.0.1:1"]
            case "import": ["--out", "imported"]
            case "plugins" where words.last == "new": ["--lang", "python"]
            default: []
            }
        }
    }

    struct Position: Sendable {
        var name: String
        var isOptional: Bool
        var isRepeating: Bool

        /// A value of the right form.
        var sample: String {
            switch name {
            case "role": "admin"
            case "place": "now"
            case "id": "0123456789abcdef"
            case "folder": "out"
            case "endpoint": "queue"
            default: "x"
            }
        }
    }

    static let verbs: [Verb] = {
        let outcome = CommandLineFolder().crowbar("--experimental-dump-help")
        guard let command = (try? JSON(parsing: Array(outcome.output.utf8)))?["command"] else { return [] }
        return leaves(command, [])
    }()

    private static func leaves(_ command: JSON, _ path: [String]) -> [Verb] {
        let subcommands = (command["subcommands"]?.array ?? []).filter { $0["commandName"]?.string != "help" }
        if !subcommands.isEmpty {
            return subcommands.flatMap { leaves($0, path + [$0["commandName"]?.string ?? "?"]) }
        }
        let arguments = command["arguments"]?.array ?? []
        let positions = arguments.filter { $0["kind"]?.string == "positional" }.map {
            Position(
                name: $0["valueName"]?.string ?? "?", isOptional: $0["isOptional"]?.bool == true,
                isRepeating: $0["isRepeating"]?.bool == true)
        }
        let options = arguments.filter { $0["kind"]?.string == "option" }.compactMap { option -> String? in
            let name = option["names"]?.array?.first { $0["kind"]?.string == "long" }?["name"]?.string
            return name.map { "--" + $0 }
        }
        return [Verb(words: path, positions: positions, options: options)]
    }
}
