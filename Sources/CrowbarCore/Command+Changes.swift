import JSONBytes

/// Why a changed command is not taken.
public struct CommandChangeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// For people.
    public var description: String
}

extension Command {
    /// The fields that a check of a command may change (docs/protocol.md, "Checks").
    public static let changeableFields = ["message", "topic", "name", "channelName", "channelDescription"]

    /// The command as a check wants it.
    ///
    /// Members that are left out stay as they are. `meta` is neither looked at nor taken: it passes byte for byte, and
    /// not every JSON library writes it back in its own spelling.
    /// - Parameters:
    ///   - wanted: The command's JSON with changes, or just the changed fields.
    ///   - shown: The JSON that the check was given.
    /// - Returns: The changed command, and which fields differ.
    /// - Throws: ``CommandChangeError`` where it changes what it may not, or the change makes no valid command.
    public func changed(
        to wanted: [UInt8], from shown: [UInt8]
    ) throws(CommandChangeError) -> (command: Command, fields: [String]) {
        let (old, new) = (try Self.members(shown), try Self.members(wanted))
        let own = Set(type.ownFields.map(\.description)).intersection(Self.changeableFields)
        var merged = old
        var fields: [String] = []
        for member in new where member.key != "meta" {
            let before = old.first { $0.key == member.key }
            if let before, before.value == member.value { continue }
            guard own.contains(member.key) else {
                throw CommandChangeError(description: "it changes '\(member.key.prefix(64))', which no check may")
            }
            fields.append(member.key)
            merged.removeAll { $0.key == member.key }
            merged.append(member)
        }
        if fields.isEmpty { return (self, []) }
        merged.removeAll { $0.key == "origin" || $0.key == "meta" }
        do {
            var command = self
            command.body = try Command(parsing: JSON.object(merged).bytes).body
            return (command, fields.sorted())
        } catch {
            throw CommandChangeError(description: "its change makes no valid command: \(error.message)")
        }
    }

    private static func members(_ bytes: [UInt8]) throws(CommandChangeError) -> [JSON.Member] {
        do {
            let object = try JSONObject(parsing: bytes)
            var members: [JSON.Member] = []
            for member in object.members {
                let key = object.key(member)
                // Not read: it may hold numbers that are beyond this machine's.
                if key == "meta" { continue }
                members.append(.init(key, try JSON(parsing: object.bytes[member.value.range])))
            }
            return members
        } catch {
            throw CommandChangeError(description: "its command is not one JSON object: \(error)")
        }
    }
}
