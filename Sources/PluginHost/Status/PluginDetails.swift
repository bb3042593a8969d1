import JSONBytes

/// The numbers in a plugin's status details, as far as they become metrics: a pure value.
struct PluginDetails: Equatable {
    /// The numbers.
    enum Limit {
        /// Names of one plugin.
        static let names = 32
        /// Numbers of all plugins.
        static let numbers = 256
        /// Bytes of a name.
        static let name = 64
    }

    /// A number by its name.
    struct Number: Equatable, Sendable {
        /// The queue that it is about; empty where it is about the plugin.
        var queue: String
        var name: String
        var value: Double
    }

    private(set) var numbers: [Number] = []
    /// Numbers that are left out.
    private(set) var dropped = 0

    /// Collects the numbers: those at the top, and those in the part of a queue.
    /// - Parameters:
    ///   - queues: The plugin's queues.
    ///   - room: How many numbers there may still be.
    init(_ details: JSON?, queues: Set<String>, room: Int) {
        var names: Set<String> = []
        func add(_ queue: String, _ member: JSON.Member) {
            guard let value = member.value.double else { return }
            let isKnown = names.contains(member.key)
            guard numbers.count < room, isKnown || names.count < Limit.names, Self.isName(member.key),
                value.isFinite
            else {
                dropped += 1
                return
            }
            names.insert(member.key)
            numbers.append(Number(queue: queue, name: member.key, value: value))
        }
        for member in details?.members ?? [] {
            guard let parts = member.value.members else {
                add("", member)
                continue
            }
            // Another object's name may be anything, such as a channel's id, which no label may hold.
            guard queues.contains(member.key) else { continue }
            for part in parts { add(member.key, part) }
        }
    }

    /// Letters, digits and `_`, as names in code have them: no id of a message, and no address.
    static func isName(_ text: String) -> Bool {
        guard (1...Limit.name).contains(text.utf8.count), let first = text.utf8.first, !(0x30...0x39).contains(first)
        else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
            default: false
            }
        }
    }
}
