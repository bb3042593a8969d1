import PluginKit

/// Proves an account by lines of AUTHENTICATE (IRCv3 SASL 3.2).
struct SASLExchange: Sendable {
    /// The longest piece of a message, in bytes; a shorter one is the last.
    static let chunk = 400
    /// The longest message of a server, in bytes of base 64.
    static let longest = 4096

    private let config: SASLConfig
    private var scram: ScramExchange
    private var partial = ""

    /// - Parameter nonce: For SCRAM: random, printable, without commas.
    init(_ config: SASLConfig, nonce: String) {
        self.config = config
        scram = ScramExchange(account: config.account, password: config.password, nonce: nonce)
    }

    /// What begins it.
    var begin: String { "AUTHENTICATE " + config.mechanism.wire }

    /// Whether the server's word that it is done may be believed.
    var isComplete: Bool { config.mechanism != .scram || scram.isDone }

    /// What ``derived(_:)`` waits for.
    var derivation: ScramExchange.Derivation? { scram.derivation }

    /// Goes on with the key of ``derivation``.
    /// - Returns: The lines to write.
    /// - Throws: ``ScramExchange/Failure``.
    mutating func derived(_ key: [UInt8]?) throws(ScramExchange.Failure) -> [String] {
        Self.lines(try scram.derived(key))
    }

    /// Answers a line of the server.
    /// - Parameter piece: What stands behind AUTHENTICATE.
    /// - Returns: The lines to write; none where the server's message goes on, or ``derivation`` comes first.
    /// - Throws: ``ScramExchange/Failure``.
    mutating func take(_ piece: String) throws(ScramExchange.Failure) -> [String] {
        if piece != "+" { partial += piece }
        guard partial.utf8.count <= Self.longest else { throw .init(reason: "the server's challenge is too long") }
        if piece.utf8.count == Self.chunk { return [] }
        defer { partial = "" }
        guard let bytes = Base64.decode(partial) else { throw .init(reason: "the server's challenge is no base 64") }
        switch config.mechanism {
        case .plain: return Self.lines("\(config.account)\0\(config.account)\0\(config.password)")
        case .external: return Self.lines(config.account)
        case .scram: return try scram.answer(String(decoding: bytes, as: UTF8.self)).map { Self.lines($0) } ?? []
        }
    }

    private static func lines(_ message: String) -> [String] {
        let text = Base64.encode(Array(message.utf8))
        var lines: [String] = []
        var rest = Substring(text)
        while !rest.isEmpty {
            lines.append("AUTHENTICATE " + rest.prefix(chunk))
            rest = rest.dropFirst(chunk)
        }
        // A last piece of full length would read as "more follows", and an empty message has no other sign.
        if text.utf8.count % chunk == 0 { lines.append("AUTHENTICATE +") }
        return lines
    }
}
