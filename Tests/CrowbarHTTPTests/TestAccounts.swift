import CrowbarCore
import Logging
import Synchronization

/// Whom tokens stand for; a test changes it while a server runs.
final class TestAccounts: Sendable {
    private let known: Mutex<[[UInt8]: Principal]>
    private let look: (@Sendable ([UInt8]) throws -> Principal?)?

    init() {
        let tokens = TestServer.tokens.map { (TestServer.hash(Array($0.key.utf8)), $0.value) }
        known = Mutex(Dictionary(uniqueKeysWithValues: tokens))
        look = nil
    }

    /// Accounts that are elsewhere.
    init(_ look: @escaping @Sendable ([UInt8]) throws -> Principal?) {
        known = Mutex([:])
        self.look = look
    }

    func principal(_ hash: [UInt8]) throws -> Principal? {
        if let look { return try look(hash) }
        return known.withLock { $0[hash] }
    }

    /// Changes whom a token stands for; nil revokes it.
    func set(_ token: String, _ principal: Principal?) {
        known.withLock { $0[TestServer.hash(Array(token.utf8))] = principal }
    }
}

/// Keeps what is logged.
struct LogLines: LogHandler {
    private final class Kept: Sendable { let lines = Mutex<[String]>([]) }

    private let kept = Kept()
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .debug

    var all: [String] { kept.lines.withLock { $0 } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { kept.lines.withLock { $0.append("\(event.message)") } }

    /// Waits until a line that contains a text was logged.
    func wait(for text: String) async throws {
        try await waitUntil("'\(text)' is logged") { all.contains { $0.contains(text) } }
    }
}

/// Waits until something is so, at most for 20 seconds.
func waitUntil(_ what: String, _ condition: () async throws -> Bool) async throws {
    struct NotSo: Error { var what: String }
    for _ in 0..<1_000 {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(20))
    }
    throw NotSo(what: what)
}
