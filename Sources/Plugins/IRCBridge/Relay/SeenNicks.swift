import PluginKit

/// Nicks that were the bridge's own or those of users' connections, so that a history does not bring back as new what
/// was said under them. Of each only a hash is kept: as many as users' connections may have fit into a queue's state.
struct SeenNicks: Equatable, Sendable {
    /// The most nicks; the latest stay. As many as users' connections at most, and the bridge's own.
    static let most = 2048

    private var hashes: [UInt32] = []

    init() {}

    /// Reads ``text``; one that is no such text is as good as empty.
    init(text: String) {
        guard text.utf8.count <= Self.most * 6, let bytes = Base64.decode(text), bytes.count % 4 == 0 else { return }
        hashes = stride(from: 0, to: bytes.count, by: 4).map { at in
            bytes[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
    }

    var isEmpty: Bool { hashes.isEmpty }

    /// All of them, as they are kept.
    var text: String {
        Base64.encode(hashes.flatMap { hash in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: hash >> $0) } })
    }

    /// Whether a folded nick is one of them.
    func contains(_ nick: String) -> Bool { hashes.contains(Self.hash(nick)) }

    /// Notes a folded nick as the latest.
    /// - Returns: Whether it is new.
    mutating func note(_ nick: String) -> Bool {
        let hash = Self.hash(nick)
        if hashes.last == hash { return false }
        let known = hashes.firstIndex(of: hash)
        if let known { hashes.remove(at: known) }
        hashes.append(hash)
        if hashes.count > Self.most { hashes.removeFirst() }
        return known == nil
    }

    /// FNV-1a with 32 bits. Nobody gains by a collision: what they say is only not taken from a history.
    private static func hash(_ nick: String) -> UInt32 {
        nick.utf8.reduce(0x811C_9DC5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    }
}
