import ArgumentParser

/// Finds arguments that are empty or only blanks: most often a shell variable that is not set. No verb has a use for
/// one, and a server could take it for something else, as a path that ends in `/`.
struct BlankArgument {
    /// The command, as `crowbar token revoke`.
    private let command: String
    /// The names of its positional arguments in order, as `<id>`; the last one may stand several times.
    private let positions: [String]
    /// The options that take a value, as `--as`.
    private let options: Set<String>
    private let rest: [String]

    /// - Parameter arguments: Without the program's name.
    init(_ arguments: [String]) {
        var (type, path, rest) = (Crowbar.self as any ParsableCommand.Type, "crowbar", arguments[...])
        while let first = rest.first, let next = Self.subcommand(first, of: type) {
            (type, path) = (next, path + " " + first)
            rest = rest.dropFirst()
        }
        // `crowbar token USER` and `crowbar plugins`.
        if let usual = type.configuration.defaultSubcommand { type = usual }
        let usage = Usage(Crowbar.usageString(for: type, includeHidden: true))
        (command, positions, options, self.rest) = (path, usage.positions, usage.options, Array(rest))
    }

    /// Whether a command has positional arguments.
    static func takesPositions(_ type: any ParsableCommand.Type) -> Bool {
        !Usage(Crowbar.usageString(for: type, includeHidden: true)).positions.isEmpty
    }

    private static func subcommand(
        _ name: String, of type: any ParsableCommand.Type
    ) -> (any ParsableCommand.Type)? {
        type.configuration.subcommands.first { $0._commandName == name }
    }

    /// What is wrong with the first one, for a person; nil where there is none.
    var problem: String? {
        var (position, option) = (0, String?.none)
        for (argument, before) in zip(rest, [""] + rest) {
            if let name = option {
                if Self.isBlank(argument) { return words(name, argument) }
                option = nil
            } else if argument.hasPrefix("-"), argument.count > 1 {
                let halves = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let name = String(halves[0])
                if halves.count == 2, Self.isBlank(halves[1]) { return words(name, halves[1]) }
                if halves.count == 1, options.contains(name) { option = name }
            } else {
                // Usage lines have the long names of options alone.
                let isBehindShort = before.count == 2 && before.hasPrefix("-") && before != "--"
                let name = positions.indices.contains(position) ? positions[position] : positions.last
                if Self.isBlank(argument) {
                    return words(isBehindShort ? "the value of \(before)" : name ?? "an argument", argument)
                }
                position += 1
            }
        }
        return nil
    }

    private func words(_ name: String, _ value: some StringProtocol) -> String {
        "\(name) of '\(command)' \(value.isEmpty ? "is empty" : "has only blanks"); give it a value (a shell variable "
            + "that stands for it may not be set)"
    }

    private static func isBlank(_ text: some StringProtocol) -> Bool { text.allSatisfy(\.isWhitespace) }
}

extension BlankArgument {
    /// What a usage line says of a command's arguments: `crowbar send [--as <as>] <channel> <text>`.
    private struct Usage {
        var positions: [String] = []
        var options: Set<String> = []

        init(_ line: String) {
            var option: Substring?
            for word in line.split(whereSeparator: { " []|".contains($0) || $0.isNewline }) {
                if word.hasPrefix("-") {
                    option = word
                } else if word.hasPrefix("<") {
                    if let option { options.insert(String(option)) } else { positions.append(String(word)) }
                    // `--scope <scope> ...`: one name for all its values.
                    option = nil
                } else {
                    option = nil
                }
            }
        }
    }
}
