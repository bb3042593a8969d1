import GRDB

/// The tables of ``MessageRows``.
///
/// `position` of a message is that of its MESSAGE_SENT, and the row's id. `channel` is the key of a channel's life: the
/// position of its CHANNEL_CREATED. A deleted message keeps its row without its text, so that an answer to it can say
/// that it was deleted. `messageMark` has the position at which a public channel was destroyed last: no row of a
/// channel tells of it any more. Private channels do not touch it, so that nobody else sees that they are used.
enum MessageSchema {
    static func tables(_ generation: Int64) -> [String] {
        [
            "lives", "messageMembers", "memberNames", "messageNames", "mentions", "reactions", "reactionCounts",
            "messages", "messageMark",
        ].map { "\($0)_\(generation)" }
    }

    static func create(_ db: Database, _ generation: Int64) throws {
        let suffix = "_\(generation)"
        try db.execute(
            sql: """
                CREATE TABLE lives\(suffix) (
                    key INTEGER PRIMARY KEY, id TEXT NOT NULL, audience INTEGER NOT NULL, isAlive INTEGER NOT NULL,
                    last INTEGER NOT NULL, changed INTEGER NOT NULL);
                CREATE UNIQUE INDEX liveIds\(suffix) ON lives\(suffix) (id) WHERE isAlive = 1;
                CREATE INDEX liveLasts\(suffix) ON lives\(suffix) (last) WHERE isAlive = 1;
                CREATE TABLE messageMembers\(suffix) (
                    channel INTEGER NOT NULL, userId TEXT NOT NULL, joined INTEGER NOT NULL,
                    joinedEventId TEXT NOT NULL, PRIMARY KEY (channel, userId)) WITHOUT ROWID;
                CREATE INDEX messageChannels\(suffix) ON messageMembers\(suffix) (userId);
                CREATE TABLE memberNames\(suffix) (
                    channel INTEGER NOT NULL, folded BLOB NOT NULL, userId TEXT NOT NULL,
                    PRIMARY KEY (channel, folded, userId)) WITHOUT ROWID;
                CREATE TABLE messageNames\(suffix) (userId TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
                CREATE TABLE mentions\(suffix) (
                    userId TEXT NOT NULL, channel INTEGER NOT NULL, message INTEGER NOT NULL,
                    PRIMARY KEY (userId, channel, message)) WITHOUT ROWID;
                CREATE TABLE reactions\(suffix) (
                    message INTEGER NOT NULL, userId TEXT NOT NULL, reaction TEXT NOT NULL, position INTEGER NOT NULL,
                    PRIMARY KEY (message, userId, reaction)) WITHOUT ROWID;
                CREATE INDEX reactionOrder\(suffix) ON reactions\(suffix) (message, reaction, position, userId);
                CREATE TABLE reactionCounts\(suffix) (
                    message INTEGER NOT NULL, reaction TEXT NOT NULL, count INTEGER NOT NULL, first INTEGER NOT NULL,
                    PRIMARY KEY (message, reaction)) WITHOUT ROWID;
                CREATE TABLE messages\(suffix) (
                    position INTEGER PRIMARY KEY, channel INTEGER NOT NULL, messageId TEXT NOT NULL,
                    eventId TEXT NOT NULL, userId TEXT NOT NULL, userName TEXT NOT NULL, timestamp INTEGER NOT NULL,
                    kind TEXT NOT NULL, isDeleted INTEGER NOT NULL DEFAULT 0, editEventId TEXT,
                    editTimestamp INTEGER, replyTo TEXT, origin BLOB, meta BLOB, mentions BLOB,
                    text TEXT NOT NULL);
                CREATE TABLE messageMark\(suffix) (changed INTEGER NOT NULL);
                INSERT INTO messageMark\(suffix) (changed) VALUES (0);
                CREATE UNIQUE INDEX messageIds\(suffix) ON messages\(suffix) (channel, messageId);
                CREATE INDEX liveMessages\(suffix) ON messages\(suffix) (channel, position, userId, kind)
                    WHERE isDeleted = 0;
                """)
    }
}
