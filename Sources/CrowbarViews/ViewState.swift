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
}
