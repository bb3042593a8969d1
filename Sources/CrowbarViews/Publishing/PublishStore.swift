/// Where files are published: a folder or a bucket. Calls are made one after the other.
protocol PublishStore: Sendable {
    /// The published files that are there, each with its tag; nil where it has none.
    /// - Parameter log: The id of the log's first event.
    /// - Throws: ``PublishFailure`` where the target cannot be listed now, or is marked as another log's.
    func list(of log: String) async throws -> [PublishedFile: String?]

    /// Writes a file.
    /// - Parameter tag: The tag of the file that is there, where it is known.
    func write(_ file: PublishedFile, _ body: [UInt8], position: Int64, replacing tag: String?) async -> PublishResult

    /// Deletes a file.
    /// - Parameter position: The position up to which the log knows that it is not to be there.
    func delete(_ file: PublishedFile, position: Int64) async -> PublishResult
}

/// Why a target cannot be used now, in words.
struct PublishFailure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
