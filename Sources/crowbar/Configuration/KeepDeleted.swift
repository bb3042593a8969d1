/// How long the log keeps the texts of deleted messages: `[log] keep_deleted`.
enum KeepDeleted: Sendable, Equatable {
    /// Texts are never erased.
    case forever
    /// Texts are erased so many milliseconds after the deletion.
    case milliseconds(Int64)

    /// 30 days.
    static let standard = KeepDeleted.milliseconds(30 * 86_400_000)
    /// The shape of the text, for errors.
    static let shape = "must be a time such as \"30d\", \"12h\", \"15m\" or \"0s\", at most \"36500d\", or \"forever\""

    private static let units: [(Character, Int64)] = [("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)]
    private static let longest: Int64 = 36_500 * 86_400_000

    /// Reads `30d` or `forever`.
    init?(_ text: String) {
        if text == "forever" {
            self = .forever
            return
        }
        guard let unit = Self.units.first(where: { $0.0 == text.last }), text.utf8.count <= 12,
            text.dropLast().utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int64(text.dropLast())
        else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit.1)
        guard !overflow, product <= Self.longest else { return nil }
        self = .milliseconds(product)
    }

    /// Deletions before this time are due.
    /// - Parameter now: The Unix time in milliseconds.
    func due(now: Int64) -> Int64? {
        switch self {
        case .forever: nil
        // One more: what was deleted at this very millisecond is due at "0s".
        case .milliseconds(let milliseconds): now - milliseconds + 1
        }
    }

    /// Seconds between two looks at what is due, and at what `crowbar erase` has left.
    var interval: Int64 {
        switch self {
        case .forever: 5
        case .milliseconds(let milliseconds): min(5, max(1, milliseconds / 100_000))
        }
    }
}
