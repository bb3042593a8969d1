import Glibc
import PluginWire

/// What the program of a plugin says to a person who runs it by hand, as if it were a command.
package struct PluginUsage: Sendable {
    /// The exit status of a call that is wrong, as of `crowbar`.
    package static let exitWrongUsage: Int32 = 64

    private let program: String
    private let version: String
    private let purpose: String
    private let manifest: String
    private let page: String

    /// - Parameters:
    ///   - program: The program's name.
    ///   - version: Its version, as `ready` names it.
    ///   - purpose: What it does: `posts events to HTTP endpoints`.
    ///   - manifest: A manifest to begin with.
    ///   - page: The page about it.
    package init(program: String, version: String, purpose: String, manifest: String, page: String) {
        (self.program, self.version, self.purpose) = (program, version, purpose)
        (self.manifest, self.page) = (manifest, page)
    }

    /// What is said, to which descriptor, and the exit status with which the program ends then.
    package struct Answer: Equatable, Sendable {
        package var text: String
        package var descriptor: Int32
        package var status: Int32
    }

    /// The answer to arguments; nil where a host may be at the other end.
    /// - Parameters:
    ///   - arguments: Without the program's name.
    ///   - isTerminal: Whether standard input is a terminal, where no host can be.
    package func answer(to arguments: [String], isTerminal: Bool) -> Answer? {
        let known = ["--help", "-h", "--version"]
        if let unknown = arguments.first(where: { !known.contains($0) }) {
            let text =
                "\(program): there is no argument '\(ShownText.line(unknown))': what it does stands in its manifest "
                + "(\(page)), and 'crowbar serve' starts it; there are --help and --version\n"
            return Answer(text: text, descriptor: 2, status: Self.exitWrongUsage)
        }
        switch arguments.first {
        case "--version": return Answer(text: "\(program) \(version)\n", descriptor: 1, status: 0)
        case nil where !isTerminal: return nil
        default: return Answer(text: help, descriptor: 1, status: 0)
        }
    }

    private var help: String {
        """
        \(program) \(version) is a plugin of Crowbar: it \(purpose).

        It is not run by hand. 'crowbar serve' starts it and speaks with it over standard input and output, where a
        manifest in the server's folder of plugins names it (\(manifest)):

            command = ["\(program)"]

        \(page) tells what else the manifest may say; 'crowbar check' checks it.

        Options: --help prints this, --version the version.

        """
    }

    /// Answers a person and ends the process; returns where a host may be at the other end.
    package func exitIfRunByHand() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if let answer = answer(to: arguments, isTerminal: isatty(0) == 1) { end(answer) }
    }

    /// Ends a process whose standard input ended before a host said anything.
    package func exitWithoutHost() -> Never {
        let text = "\(program) is a plugin of Crowbar: 'crowbar serve' starts it (\(program) --help, \(page))\n"
        end(Answer(text: text, descriptor: 2, status: Wire.exitBadConfiguration))
    }

    private func end(_ answer: Answer) -> Never {
        _ = Outbox.write(Array(answer.text.utf8), to: answer.descriptor)
        exit(answer.status)
    }
}
