/// How far a view is.
public struct ViewState: Sendable, Equatable {
    /// Which view.
    public var name: ViewName
    /// The version of its rows: of those that are served, or else of those that are built.
    public var version: Int
    /// How far the one that is served has come; nil while none is served.
    public var live: ViewCheckpoint?
    /// Whether the rows that are served are of an older version. They get no more events.
    public var isOutdated = false
    /// How far the one that is being built has come; nil where none is. Of the search index: the last message indexed.
    public var build: ViewCheckpoint?
    /// Why it does not go on, after an event that cannot be applied.
    public var stopped: String?

    /// How much of the log it has applied, from 0 to 1, below 1 where anything is missing. Outdated rows get no more
    /// events, so that their build counts.
    /// - Parameter head: The position of the log's newest event.
    func progress(head: Int64) -> Double {
        let applied = isOutdated ? build ?? live : live ?? build
        let position = applied?.position ?? 0
        if position >= head { return live == nil || isOutdated ? 0.99 : 1 }
        return min(0.99, Double(position) / Double(head))
    }
}
