import CrowbarCore

/// What an action of the command line could not do for a reason that only the operator may know in full.
public struct ActionFailure: Error, Sendable, CustomStringConvertible {
    /// What the caller is told.
    public var answer: CommandError
    /// What the log says: which file, and why.
    public var detail: String

    /// Makes one.
    public init(_ answer: CommandError, detail: String) {
        self.answer = answer
        self.detail = detail
    }

    public var description: String { answer.message }
}
