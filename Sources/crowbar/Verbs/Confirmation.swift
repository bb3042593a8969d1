import ArgumentParser
import Glibc

/// Asks the person at the terminal whether to go on with what cannot be taken back.
enum Confirmation {
    /// Returns where the answer is yes.
    /// - Parameter what: What would happen, as a sentence; the server's word for a confirmation at its end is left out.
    /// - Throws: `ValidationError` without a terminal to ask at, ``Refusal`` where the answer is no.
    static func ask(_ what: String) throws {
        let what = TerminalText.line(what.replacing(#"; confirm it with "confirm": true"#, with: ""))
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else {
            throw ValidationError("\(what); add --yes to go on")
        }
        StandardStream.error.write(Array("\(what). Go on? [y/N] ".utf8))
        guard ["y", "yes"].contains(readLine()?.lowercased() ?? "") else { throw Refusal("nothing was done") }
    }
}
