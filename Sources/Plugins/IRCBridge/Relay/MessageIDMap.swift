import DequeModule
import JSONBytes
import OpenSSL

/// Maps messages on IRC to messages of the chat and back, for replies and deletions: the newest ones that the bridge
/// brought into the chat or said on IRC.
///
/// A server names each message by an id (IRCv3 msgid). A message of several lines can have several of them on IRC.
struct MessageIDMap: Equatable, Sendable {
    /// The most messages on IRC that are remembered of a network; the oldest are forgotten first.
    static let most = 1000
    /// The most that a puppet remembers; the relay passes it older ones.
    static let mostOfPuppet = 32
    /// The most bytes of them that are stored with the queue's state, the newest first.
    static let mostStoredBytes = 16 << 10

    /// One message on IRC.
    struct Record: Equatable, Sendable {
        /// The channel on IRC, folded.
        var target: String
        /// The server's id.
        var id: String
        var source: Source
        /// Its ids in the chat, by channel; the first is that of its beginning.
        var messages: [String: [String]]

        /// Whether the bridge or a user's connection has said it.
        var isOurs: Bool { if case .chat = source { true } else { false } }
    }

    /// Where a message was said first.
    enum Source: Equatable, Sendable {
        /// On IRC; the bridge brought it into the chat as this user.
        case irc(author: String)
        /// In the chat; the relay said it on IRC, or this user's puppet.
        case chat(speaker: String?)
    }

    private let limit: Int
    private var records: [String: Record] = [:]
    private var order: Deque<String> = []
    /// The keys of the records of a message of the chat.
    private var keys: [String: [String]] = [:]

    /// - Parameter limit: The most messages remembered.
    init(limit: Int = most) { self.limit = limit }

    private static func key(_ target: String, _ id: String) -> String { target + " " + id }

    /// Whether an id, or another word of a record, can be remembered and written into a line.
    static func isWord(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= MessageReference.mostID && text.utf8.first != UInt8(ascii: ":")
            && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
    }

    /// Remembers a message; one that is known already is replaced.
    mutating func insert(_ record: Record) {
        guard Self.isWord(record.id), Self.isWord(record.target), !record.messages.isEmpty else { return }
        remove(record.target, record.id)
        let key = Self.key(record.target, record.id)
        records[key] = record
        order.append(key)
        for id in record.messages.values.joined() { keys[id, default: []].append(key) }
        while order.count > limit, let oldest = order.first, let old = records[oldest] {
            remove(old.target, old.id)
        }
    }

    /// Forgets a message on IRC.
    mutating func remove(_ target: String, _ id: String) {
        let key = Self.key(target, id)
        guard let record = records.removeValue(forKey: key) else { return }
        // Nearly always it is the oldest.
        if order.first == key { order.removeFirst() } else { order.removeAll { $0 == key } }
        for message in record.messages.values.joined() {
            keys[message]?.removeAll { $0 == key }
            if keys[message]?.isEmpty == true { keys[message] = nil }
        }
    }

    /// The message with an id in a channel on IRC.
    func record(_ target: String, _ id: String) -> Record? { records[Self.key(target, id)] }

    /// The messages on IRC that are a message of the chat, the oldest first.
    func records(of message: String, in target: String) -> [Record] {
        (keys[message] ?? []).compactMap { records[$0] }.filter { $0.target == target }
    }

    /// The server's ids of the message that a message answers or deletes, in a channel on IRC. Only what was said by
    /// the bridge or a user's connection can be deleted.
    func concerned(_ message: ChatMessage, in target: String) -> [String] {
        let given = message.concerned[target] ?? []
        guard let concerned = message.concernedID else { return given }
        let known = records(of: concerned, in: target).filter { $0.isOurs || message.what != .deletion }
        return given + known.map(\.id).filter { !given.contains($0) }
    }

    /// The user whose puppet said the message that a deletion is about: nil where the relay said
    /// it.
    /// - Returns: Nil where the message is not known, or this is no deletion.
    func speaker(ofDeleted message: ChatMessage, in targets: [String]) -> String?? {
        guard message.what == .deletion, let id = message.id else { return nil }
        let sources = targets.flatMap { records(of: id, in: $0) }.filter(\.isOurs).map(\.source)
        for case .chat(let speaker?) in sources { return .some(speaker) }
        return sources.isEmpty ? nil : .some(nil)
    }
}

// What outlives the process.
extension MessageIDMap {
    /// The newest messages as texts, the oldest of them first.
    /// - Parameters:
    ///   - prefix: What the ids of this network's people begin with, which is left out.
    ///   - room: The most bytes.
    func stored(without prefix: String, room: Int) -> [String] {
        var room = min(room, Self.mostStoredBytes)
        var texts: [String] = []
        for key in order.reversed() {
            guard let record = records[key], let text = record.text(without: prefix) else { continue }
            // With a comma behind it.
            room -= JSON.string(text).bytes.count + 1
            guard room > 0 else { break }
            texts.append(text)
        }
        return texts.reversed()
    }

    /// Takes stored messages.
    /// - Parameters:
    ///   - prefix: What the ids of this network's people begin with.
    ///   - messages: The ids in the chat of a message that was brought there: by its channel on IRC, its id, and the
    ///     number of messages that it was cut into.
    mutating func restore(
        _ texts: [String], prefix: String,
        messages: (_ target: String, _ id: String, _ parts: Int) -> [String: [String]]
    ) {
        for text in texts.suffix(Self.most) {
            let words = text.split(separator: " ").map(String.init)
            guard let kind = words.first, words.count >= 4 else { continue }
            let (target, id) = (words[1], words[2])
            switch kind {
            case "<":
                let parts = words.count > 4 ? Int(words[4]).map { min(max($0, 1), Self.most) } ?? 1 : 1
                insert(
                    Record(
                        target: target, id: id, source: .irc(author: prefix + words[3]),
                        messages: messages(target, id, parts)))
            case ">" where words.count >= 5:
                let source = Source.chat(speaker: words.count > 5 ? words[5] : nil)
                insert(Record(target: target, id: id, source: source, messages: [words[3]: [words[4]]]))
            default: continue
            }
        }
    }
}

extension MessageIDMap.Record {
    /// As it is stored; nil where it is not.
    fileprivate func text(without prefix: String) -> String? {
        switch source {
        case .irc(let author):
            guard author.hasPrefix(prefix), let parts = messages.values.first?.count else { return nil }
            return "< \(target) \(id) \(author.dropFirst(prefix.count))" + (parts > 1 ? " \(parts)" : "")
        case .chat(let speaker):
            guard let (channel, ids) = messages.first, let message = ids.first else { return nil }
            return "> \(target) \(id) \(channel) \(message)" + (speaker.map { " " + $0 } ?? "")
        }
    }
}

/// The chat's ids of messages that come from IRC. They follow from the server's ids, so that a reply or a deletion
/// right behind a message can name it before the chat has answered.
enum BridgeMessageID {
    /// Bytes of the hash that an id is made of.
    private static let length = 16

    /// The id of a message.
    /// - Parameter key: What the id of its event is derived from.
    static func of(_ key: String, plugin: String) -> String {
        let digits = Array("0123456789abcdef".utf8)
        let hex = SHA256.hash(key.utf8).prefix(length).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return plugin + ":" + String(decoding: hex, as: UTF8.self)
    }
}
