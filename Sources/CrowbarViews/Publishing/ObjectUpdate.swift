/// One object of a bucket that is written or deleted, request by request. A pure value.
///
/// A request names the object that it replaces, so that no node undoes what another has written. After the answer that
/// another writer was faster (409, 412), the object's head is read again.
struct ObjectUpdate {
    /// How often the head is read again before the update is given up.
    static let maxConflicts = 4

    enum Request: Equatable {
        case head
        /// PUT with `If-Match`, or without a tag with `If-None-Match: *`.
        case put(replacing: String?)
        case delete
    }

    enum Answer: Equatable {
        /// - Parameter code: The store's name of the error; empty where it gives none.
        case status(Int, code: String = "", text: String = "", tag: String? = nil, position: Int64? = nil)
        case none(PublishFailure)
    }

    enum Step: Equatable {
        case send(Request)
        case end(PublishResult)
    }

    private let isDeletion: Bool
    private let position: Int64
    private var request: Request
    private var conflicts = 0

    /// Begins to write.
    /// - Parameters:
    ///   - position: The position of the new content.
    ///   - tag: The tag of the object that is there, where it is known.
    init(writing position: Int64, replacing tag: String?) {
        self.position = position
        isDeletion = false
        request = tag == nil ? .head : .put(replacing: tag)
    }

    /// Begins to delete.
    /// - Parameter position: The position up to which the log knows that the object is not to be there.
    init(deleting position: Int64) {
        self.position = position
        isDeletion = true
        request = .head
    }

    /// The first request.
    var first: Request { request }

    /// What follows from an answer.
    mutating func next(_ answer: Answer) -> Step {
        switch answer {
        case .none(let reason): return .end(.targetFailed(reason))
        case .status(_, "NoSuchBucket", let text, _, _):
            return .end(.targetFailed(PublishFailure(text, code: "NoSuchBucket")))
        case .status(let status, let code, let text, let tag, let found):
            let failure = PublishFailure(text, code: code.isEmpty ? "\(status)" : code)
            return next(status, failure, tag, found)
        }
    }

    private mutating func next(_ status: Int, _ failure: PublishFailure, _ tag: String?, _ found: Int64?) -> Step {
        switch (request, status) {
        case (.head, 200): return replace(tag, found)
        case (.head, 404): return isDeletion ? .end(.gone) : send(.put(replacing: nil))
        case (.put, 200...299): return .end(.written(tag: tag))
        case (.put(replacing: .some), 404), (.put, 409), (.put, 412), (.delete, 409), (.delete, 412):
            conflicts += 1
            if conflicts > Self.maxConflicts {
                return .end(.fileFailed("another writer changes it again and again"))
            }
            return send(.head)
        case (.delete, 200...299), (.delete, 404): return .end(.gone)
        default: return .end(Self.isAboutFile(status) ? .fileFailed(failure) : .targetFailed(failure))
        }
    }

    private mutating func replace(_ tag: String?, _ found: Int64?) -> Step {
        if let found, found > position { return .end(.newer(found)) }
        guard let tag else { return .end(.fileFailed("the store gives no ETag, which is needed to replace an object")) }
        // An object without a position is none of Crowbar's.
        if isDeletion { return found == nil ? .end(.gone) : send(.delete) }
        // Whoever was faster has written the same.
        if conflicts > 0, found == position { return .end(.written(tag: tag)) }
        return send(.put(replacing: tag))
    }

    private mutating func send(_ request: Request) -> Step {
        self.request = request
        return .send(request)
    }

    /// Whether an error is about the one object, so that others may do.
    private static func isAboutFile(_ status: Int) -> Bool {
        (400..<500).contains(status) && ![400, 401, 403, 404, 408, 425, 429].contains(status)
    }
}
