/// Who is asked about commands before they are decided: what ``Ingest`` knows of plugins of the command phase.
public struct CommandChecks: Sendable {
    /// What became of a command that was asked about.
    public enum Outcome: Sendable {
        /// It goes on, as it is now; `record` is the JSON that the event keeps as `checks`, nil if nobody was asked.
        case passed(Command, record: [UInt8]?)
        /// Somebody said no.
        case refused(CommandError)
    }

    /// Whether anybody is to be asked about a command. It is called for each command and must return at once.
    public var concerns: @Sendable (Submission) -> Bool
    /// Asks. It must return within a time of its own choosing, whatever those who are asked do.
    public var ask: @Sendable (Submission) async -> Outcome

    /// Makes one.
    public init(
        concerns: @escaping @Sendable (Submission) -> Bool, ask: @escaping @Sendable (Submission) async -> Outcome
    ) {
        self.concerns = concerns
        self.ask = ask
    }
}
