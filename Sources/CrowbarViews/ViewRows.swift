import CrowbarCore
import GRDB

/// The rows of one projection in one generation, on the writing connection.
///
/// A generation is a set of tables with a number in their names, so that a view can be built beside the one that is
/// served. The object must be used on the writing connection's queue only.
protocol ViewRows: AnyObject, SendableMetatype {
    /// Which projection.
    static var name: ViewName { get }
    /// The tables of a generation, in an order in which they can be dropped.
    static func tables(_ generation: Int64) -> [String]
    /// Makes the tables of a generation.
    static func create(_ db: Database, _ generation: Int64) throws

    /// Prepares the statements of a generation that is there.
    init(_ db: Database, _ generation: Int64) throws
    /// Changes the rows as the event demands.
    /// - Throws: ``ViewError`` where the event does not fit; RawStatement.Failure where the database fails.
    func apply(_ event: ViewEvent) throws
    /// Writes what was collected since the last call; called before each commit.
    func flush() throws
    /// Drops what is remembered of the rows, as the transaction was undone.
    func forget()
}

extension ViewRows {
    func flush() throws {}
    func forget() {}
}
