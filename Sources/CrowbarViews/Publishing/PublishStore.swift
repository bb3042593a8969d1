/// Where files are published: a folder or a bucket. Calls are made one after the other.
protocol PublishStore: Sendable {
    /// The time between two looks at what the target has, in milliseconds: others can change and delete files.
    var verifyInterval: Int64 { get }

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

/// Why a target or one of its files cannot be written now. A literal is its own code.
struct PublishFailure: Error, Equatable, CustomStringConvertible, ExpressibleByStringInterpolation {
    /// What kind of failure it is. The words of two failures of one kind can differ, by a request's id for example.
    var code: String
    /// The reason in words, without secrets.
    var description: String

    /// Makes a failure.
    /// - Parameter code: Its kind; nil if its words always are the same.
    init(_ description: String, code: String? = nil) {
        self.description = description
        self.code = code ?? description
    }

    init(stringLiteral value: String) { self.init(value) }
}
