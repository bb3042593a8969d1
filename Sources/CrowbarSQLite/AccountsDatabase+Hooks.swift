import CrowbarCore
import GRDB

extension AccountsDatabase {
    /// An incoming hook, as far as it is stored.
    public struct Hook: Sendable, Equatable {
        /// Its name; it speaks as `incoming/NAME`.
        public var name: String
        /// What it accepts: `message` or `cognito`.
        public var kind: String
        /// Where it speaks; empty where it does not.
        public var channelId: String
        /// The hash of its token.
        public var hash: [UInt8]
        /// Unix milliseconds.
        public var created: Int64

        /// Makes one.
        public init(
            name: String, kind: String = "message", channelId: String, hash: [UInt8], created: Int64
        ) {
            self.name = name
            self.kind = kind
            self.channelId = channelId
            self.hash = hash
            self.created = created
        }
    }

    /// Adds a hook.
    /// - Throws: ``Failure/hookExists(_:)``, ``StoreError``.
    public func add(_ hook: Hook) throws {
        try change { db in
            let put = try RawStatement(
                cached: "INSERT INTO hooks (name, channelId, hash, created, kind) VALUES (?, ?, ?, ?, ?)", db)
            put.bind(1, hook.name)
            put.bind(2, hook.channelId)
            put.bind(3, blob: hook.hash)
            put.bind(4, hook.created)
            put.bind(5, hook.kind)
            do { try put.run() } catch let failure as RawStatement.Failure where failure.isDuplicate {
                throw Failure.hookExists(hook.name)
            }
        }
    }

    /// Ends a hook.
    /// - Returns: Whether there was one.
    /// - Throws: ``StoreError``.
    @discardableResult
    public func revoke(hook name: String) throws -> Bool {
        try change { db in
            let delete = try RawStatement(cached: "DELETE FROM hooks WHERE name = ?", db)
            delete.bind(1, name)
            try delete.run()
            return db.changesCount > 0
        }
    }

    /// All hooks, by name.
    /// - Throws: ``StoreError``.
    public func hooks() throws -> [Hook] { try hooks(where: "1 = 1") { _ in } }

    /// The hook of a token, or nil.
    /// - Throws: ``StoreError``.
    public func hook(forTokenHash hash: [UInt8]) throws -> Hook? {
        try hooks(where: "hash = ?") { $0.bind(1, blob: hash) }.first
    }

    private func hooks(where condition: String, _ bind: @Sendable (RawStatement) -> Void) throws -> [Hook] {
        try StoreDatabase.mapErrors(of: database.path, "cannot be read") {
            try database.read { db in
                let rows = try RawStatement(
                    cached: """
                        SELECT name, channelId, hash, created, kind FROM hooks WHERE \(condition) ORDER BY name
                        """, db)
                defer { rows.reset() }
                bind(rows)
                var hooks: [Hook] = []
                while try rows.step() {
                    hooks.append(
                        Hook(
                            name: rows.text(0), kind: rows.text(4), channelId: rows.text(1),
                            hash: Array(rows.bytes(2)), created: rows.int(3)))
                }
                return hooks
            }
        }
    }
}
