import GRDB
import GRDBSQLite

/// SQLite's own calls on a statement that GRDB prepared and owns, for the paths where a row costs less than a
/// microsecond.
///
/// It must be used on the queue of its connection only, while the ``Statement`` lives.
package struct RawStatement {
    /// What SQLite answered to a call.
    package struct Failure: Error, CustomStringConvertible {
        /// SQLite's extended result code.
        package var code: Int32
        /// Its words.
        package var message: String
        /// The `errno` of the call that failed, where SQLite keeps it; otherwise 0.
        package var systemError: Int32 = 0
        /// The database's file, where it has one.
        package var path: String?

        /// Whether a row broke a UNIQUE or PRIMARY KEY rule.
        package var isDuplicate: Bool { code & 0xFF == SQLITE_CONSTRAINT }

        package var description: String { "\(message) (SQLite \(code))" }
    }

    private let statement: Statement
    private let pointer: OpaquePointer

    package init(_ statement: Statement) {
        self.statement = statement
        pointer = statement.sqliteStatement
    }

    /// Takes the connection's cached statement, ready to be bound.
    package init(cached sql: String, _ db: Database) throws {
        self.init(try db.cachedStatement(sql: sql))
        reset()
    }

    /// Copies text into a parameter, counted from 1; nil is NULL.
    package func bind(_ index: Int32, _ text: String?) {
        guard var text else {
            sqlite3_bind_null(pointer, index)
            return
        }
        text.withUTF8 { utf8 in
            // An empty buffer may have no address, which SQLite would take for NULL.
            guard let base = utf8.baseAddress, !utf8.isEmpty else {
                sqlite3_bind_text(pointer, index, "", 0, Self.transient)
                return
            }
            base.withMemoryRebound(to: CChar.self, capacity: utf8.count) {
                _ = sqlite3_bind_text(pointer, index, $0, Int32(utf8.count), Self.transient)
            }
        }
    }

    package func bind(_ index: Int32, _ number: Int64?) {
        if let number { sqlite3_bind_int64(pointer, index, number) } else { sqlite3_bind_null(pointer, index) }
    }

    package func bind(_ index: Int32, blobIfPresent blob: [UInt8]?) {
        if let blob { bind(index, blob: blob) } else { sqlite3_bind_null(pointer, index) }
    }

    package func bind(_ index: Int32, blob: [UInt8]) {
        blob.withUnsafeBytes {
            if let base = $0.baseAddress, !blob.isEmpty {
                _ = sqlite3_bind_blob(pointer, index, base, Int32($0.count), Self.transient)
            } else {
                sqlite3_bind_zeroblob(pointer, index, 0)
            }
        }
    }

    /// Goes to the next row; false where there is none.
    /// - Throws: ``Failure``; the statement is reset.
    package func step() throws -> Bool {
        switch sqlite3_step(pointer) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default:
            let db = sqlite3_db_handle(pointer)
            let failure = Failure(
                code: sqlite3_extended_errcode(db), message: String(cString: sqlite3_errmsg(db)),
                systemError: sqlite3_system_errno(db),
                path: sqlite3_db_filename(db, nil).map { String(cString: $0) })
            sqlite3_reset(pointer)
            throw failure
        }
    }

    /// Goes to the next row, and gives up once `isOver` says so. It is asked all the time, also while SQLite walks a
    /// full-text index and finds no row.
    /// - Returns: Whether there is a row; nil where it gave up, and the statement is reset.
    /// - Throws: ``Failure``; the statement is reset.
    package func step(unless isOver: @escaping () -> Bool) throws -> Bool? {
        let db = sqlite3_db_handle(pointer)
        let question = Question(isOver)
        sqlite3_progress_handler(
            db, Self.stepsBetweenQuestions,
            { context in
                guard let context else { return 0 }
                return Unmanaged<Question>.fromOpaque(context).takeUnretainedValue().isOver() ? 1 : 0
            }, Unmanaged.passUnretained(question).toOpaque())
        // Other statements of the connection must not be given up.
        defer { withExtendedLifetime(question) { sqlite3_progress_handler(db, 0, nil, nil) } }
        do {
            return try step()
        } catch let failure as Failure where failure.code & 0xFF == SQLITE_INTERRUPT {
            return nil
        }
    }

    /// Steps of SQLite's machine; reading a page of a full-text index is a few of them.
    private static let stepsBetweenQuestions: Int32 = 100

    /// What SQLite is given to ask.
    private final class Question {
        let isOver: () -> Bool
        init(_ isOver: @escaping () -> Bool) { self.isOver = isOver }
    }

    /// Runs a statement without rows.
    package func run() throws {
        defer { sqlite3_reset(pointer) }
        while try step() {}
    }

    /// Makes it ready for the next use and ends its part of a transaction.
    package func reset() { sqlite3_reset(pointer) }

    package func int(_ column: Int32) -> Int64 { sqlite3_column_int64(pointer, column) }

    package func isNull(_ column: Int32) -> Bool { sqlite3_column_type(pointer, column) == SQLITE_NULL }

    /// The bytes of a text or blob, valid until the next step or reset.
    package func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_blob(pointer, column)
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(pointer, column)))
    }

    /// The bytes of a text, or nil for NULL; valid until the next step or reset.
    package func bytesIfPresent(_ column: Int32) -> UnsafeRawBufferPointer? { isNull(column) ? nil : bytes(column) }

    package func text(_ column: Int32) -> String { String(decoding: bytes(column), as: UTF8.self) }

    /// `SQLITE_TRANSIENT`, which is a cast in C and so not imported.
    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
}
