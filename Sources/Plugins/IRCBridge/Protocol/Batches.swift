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
        /// The label of the line that it answers, also where that stands on a batch around it.
        var label: String?
    }

    private var open: [String: Batch] = [:]

    /// Takes a BATCH line.
    /// - Returns: The batch that ends with it.
    mutating func take(_ message: IRCMessage) -> Batch? {
        guard let reference = message.params.first, let sign = reference.first else { return nil }
        let name = String(reference.dropFirst())
        if sign == "-" { return open.removeValue(forKey: name) }
        guard sign == "+", message.params.count > 1, open.count < Self.mostOpen else { return nil }
        let parent = message.tags["batch"]
        open[name] = Batch(
            type: message.params[1], params: Array(message.params.dropFirst(2)), parent: parent,
            label: message.tags["label"] ?? parent.flatMap { open[$0]?.label })
        return nil
    }

    /// The type of an open batch.
    func type(of name: String) -> String? { open[name]?.type }

    /// The batch of one of these types that an open one is, or is part of; nil where there is none.
    func enclosing(_ name: String, of types: Set<String>) -> Batch? {
        var next: String? = name
        var steps = 0
        while let name = next, let batch = open[name], steps <= Self.mostOpen {
            if types.contains(batch.type) { return batch }
            next = batch.parent
            steps += 1
        }
        return nil
    }
}
