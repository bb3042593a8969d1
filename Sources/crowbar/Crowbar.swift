import ArgumentParser
import CrowbarCore
import Glibc
import JSONBytes

/// The command line. Exit status: 0 done, 1 refused or failed (``Refusal``), 64 wrong usage (``WrongUsage``).
@main
struct Crowbar: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "crowbar",
        abstract: "An event-sourced chat core with a plugin host.",
        version: "crowbar \(CrowbarVersion.current)",
        subcommands: [
            Serve.self, Status.self, Health.self, Check.self, Send.self, Channel.self, Events.self, User.self,
            Token.self, Hooks.self, Invite.self, SetupLinkVerb.self,
            Plugins.self, Cursor.self, DeadLetters.self, ReplayVerb.self, ViewVerbs.self, Erase.self, BackupVerb.self,
            PageVerbs.self, AuditVerb.self, ImportVerb.self,
        ])

    static func main() async {
        if let problem = BlankArgument(Array(CommandLine.arguments.dropFirst())).problem {
            StandardStream.error.write(line: "crowbar: \(TerminalText.line(problem))")
            Glibc.exit(ExitCode.validationFailure.rawValue)
        }
        if let problem = missingCommand(CommandLine.arguments.dropFirst()) {
            StandardStream.error.write(line: "crowbar: \(problem)")
            Glibc.exit(ExitCode.validationFailure.rawValue)
        }
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let refusal as Refusal {
            StandardStream.error.write(Array("crowbar: \(refusal)\n".utf8))
            Glibc.exit(1)
        } catch let mistake as WrongUsage {
            StandardStream.error.write(line: "crowbar: \(mistake)")
            Glibc.exit(ExitCode.validationFailure.rawValue)
        } catch {
            if exitCode(for: error) == .validationFailure, let text = misspelt(CommandLine.arguments.dropFirst()) {
                StandardStream.error.write(line: "crowbar: \(TerminalText.line(text))")
                Glibc.exit(ExitCode.validationFailure.rawValue)
            }
            exit(withError: error)
        }
    }

    /// What is missing if the words end before a command that does something; nil if nothing is. A script that has lost
    /// a word must not take a page of help for success.
    static func missingCommand(_ arguments: some Sequence<String>) -> String? {
        var (command, path) = (Crowbar.self as any ParsableCommand.Type, "crowbar")
        for argument in arguments {
            guard let next = command.configuration.subcommands.first(where: { $0._commandName == argument }) else {
                return nil
            }
            (command, path) = (next, path + " " + argument)
        }
        let known = command.configuration.subcommands.map { $0._commandName }
        if known.isEmpty || command.configuration.defaultSubcommand != nil { return nil }
        return "'\(path)' needs a command: \(known.joined(separator: ", ")); '\(path) --help' describes them"
    }

    /// What was probably meant by a command that there is not; nil where there is none such.
    static func misspelt(_ arguments: some Sequence<String>) -> String? {
        var (command, path) = (Crowbar.self as any ParsableCommand.Type, "")
        for argument in arguments {
            let known = command.configuration.subcommands
            if known.isEmpty || argument.hasPrefix("-") { return nil }
            if let next = known.first(where: { $0._commandName == argument }) {
                (command, path) = (next, path + argument + " ")
                continue
            }
            let names = known.map { $0._commandName }
            if let near = NearestName.to(argument, among: names) {
                return "there is no command '\(path)\(argument)'; did you mean '\(path)\(near)'?"
            }
            // In `crowbar token USER` the word is no command.
            if let usual = command.configuration.defaultSubcommand, BlankArgument.takesPositions(usual) { return nil }
            return "there is no command '\(path)\(argument)'; there are \(names.joined(separator: ", ")); "
                + "'crowbar \(path)--help' describes them"
        }
        return nil
    }
}

/// Why a verb did not do what it was told, and what to do about it: one line for a person.
struct Refusal: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = Self.line(description) }

    /// One line that moves no cursor, whatever came from elsewhere.
    fileprivate static func line(_ text: String) -> String {
        TerminalText.line(text.split(whereSeparator: \.isNewline).joined(separator: " "))
    }
}

/// Why a call is wrong whatever the server and the data are like, where only the running verb finds it: one line for a
/// person. What `validate` finds is a `ValidationError`, which comes with the verb's usage and has the same status.
struct WrongUsage: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = Refusal.line(description) }
}
