import Glibc

/// Asks the person at the terminal whether to go on with what cannot be taken back.
enum Confirmation {
    /// Returns where the answer is yes.
    /// - Parameters:
    ///   - what: What would happen, as a sentence; the server's word for a confirmation at its end is left out.
    ///   - verb: The verb that would do it, as `cursor set`.
    /// - Throws: ``WrongUsage`` without a terminal to ask at, ``Refusal`` where the answer is no.
    static func ask(_ what: String, before verb: String) throws {
        let what = TerminalText.line(what.replacing(#"; confirm it with "confirm": true"#, with: ""))
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else {
            throw WrongUsage(
                "'crowbar \(verb)' asks before it goes on, and there is no terminal to ask at: \(what); give --yes to "
                    + "go on without being asked")
        }
        StandardStream.error.write(Array("\(what). Go on? [y/N] ".utf8))
        guard ["y", "yes"].contains(readLine()?.lowercased() ?? "") else { throw Refusal("nothing was done") }
    }
}
