/// The batches that the server has open (IRCv3 batch).
struct Batches: Equatable, Sendable {
    /// The most open at once; past it new ones are not noted.
    static let mostOpen = 64

    /// One of them.
    struct Batch: Equatable, Sendable {
        var type: String
        var params: [String]
        /// The batch it is part of.
        var parent: String?
    }

    private var open: [String: Batch] = [:]

    /// Takes a BATCH line.
    /// - Returns: The batch that ends with it.
    mutating func take(_ message: IRCMessage) -> Batch? {
        guard let reference = message.params.first, let sign = reference.first else { return nil }
        let name = String(reference.dropFirst())
        if sign == "-" { return open.removeValue(forKey: name) }
        guard sign == "+", message.params.count > 1, open.count < Self.mostOpen else { return nil }
        open[name] = Batch(
            type: message.params[1], params: Array(message.params.dropFirst(2)), parent: message.tags["batch"])
        return nil
    }

    /// The type of an open batch.
    func type(of name: String) -> String? { open[name]?.type }

    /// Whether an open batch, or one it is part of, is of one of these types.
    func isPart(_ name: String, of types: Set<String>) -> Bool {
        var next: String? = name
        var steps = 0
        while let name = next, let batch = open[name], steps <= Self.mostOpen {
            if types.contains(batch.type) { return true }
            next = batch.parent
            steps += 1
        }
        return false
    }
}
