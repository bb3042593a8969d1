import JSONBytes
import Settings

/// A matterbridge configuration: accounts of chat services, and gateways between channels of these accounts.
///
/// Keys are compared without case, as matterbridge does. Values keep the type that they have in the file; the accessors
/// of ``Setting`` convert them as matterbridge does.
struct MatterbridgeFile: Sendable {
    /// One key with its value.
    struct Setting: Sendable, Equatable {
        /// The key in lower case.
        var key: String
        /// The full path, as errors name it.
        var path: String
        var value: JSON
        /// The index of its line in ``MatterbridgeFile/entries``.
        var entry: Int
    }

    /// Settings by their key in lower case.
    typealias Table = [String: Setting]

    /// An account, such as `[irc.libera]`.
    struct Account: Sendable {
        /// `irc.libera`, in lower case.
        var id: String
        var service: String
        var name: String
        var settings: Table = [:]
    }

    /// Which way messages go between a gateway and one of its channels.
    enum Direction: String, Sendable, CaseIterable {
        case receives = "in"
        case sends = "out"
        case both = "inout"
    }

    /// One channel of a gateway.
    struct Leg: Sendable {
        var direction: Direction
        var settings: Table = [:]
        var options: Table = [:]
        /// Where it begins.
        var entry: Int
    }

    /// A `[[gateway]]` or `[[samechannelgateway]]`.
    struct Gateway: Sendable {
        var settings: Table = [:]
        var legs: [Leg] = []
        var isSameChannel = false
        /// Where it begins.
        var entry: Int
    }

    /// The most headers and keys that are read.
    static let maxEntries = 20_000

    /// The file's name, as errors give it.
    let file: String
    /// Every line that has something other than a comment, in the order of the file.
    let entries: [TOMLOutline.Entry]
    /// How many lines the file has.
    let lineCount: Int
    private(set) var general: Table = [:]
    private(set) var accounts: [Account] = []
    private(set) var gateways: [Gateway] = []
    /// Where a key stands twice, differing only in case.
    private var problem: SettingsError?

    /// Reads a file.
    /// - Throws: ``SettingsError`` with the line.
    init(parsing bytes: [UInt8], file: String) throws(SettingsError) {
        let reader = try SettingsReader(parsing: bytes, file: file)
        let text = String(decoding: bytes, as: UTF8.self)
        self.file = file
        entries = TOMLOutline(text).entries
        lineCount = text.utf8.count { $0 == 0x0A } + (text.utf8.last == 0x0A || text.isEmpty ? 0 : 1)
        guard entries.count <= Self.maxEntries else {
            throw SettingsError(file: file, reason: "the file has over \(Self.maxEntries) keys and tables")
        }
        let tree = Tree(reader.json)
        for (index, entry) in entries.enumerated() {
            if entry.isHeader {
                note(entry.path, index)
            } else if let value = tree.value(at: entry.path[...]) {
                add(value, entry.path, index)
            }
        }
        if let problem { throw problem }
    }

    /// An error about a line.
    func error(_ entry: Int, _ key: String? = nil, _ reason: String) -> SettingsError {
        SettingsError(file: file, line: entries[entry].lines.lowerBound, key: key, reason: reason)
    }

    // MARK: From lines to tables

    /// Adds a value; inline tables and arrays of them as if each key had a line of its own.
    private mutating func add(_ value: JSON, _ path: [String], _ entry: Int) {
        switch value {
        case .object(let members):
            note(path, entry)
            for member in members { add(member.value, path + [member.key], entry) }
        case .array(let elements) where !elements.isEmpty && elements.allSatisfy { $0.members != nil }:
            for (index, element) in elements.enumerated() { add(element, path + ["[\(index)]"], entry) }
        default: put(Setting(key: "", path: "", value: value, entry: entry), path)
        }
    }

    /// Makes the table that a header or an inline table begins.
    private mutating func note(_ path: [String], _ entry: Int) {
        let place = path.map { $0.lowercased() }
        switch Place(place) {
        case .account(let service, let name): _ = accountIndex(service, name)
        case .gateway(let isSame, let index): _ = gatewayIndex(index, isSame, entry)
        case .leg(let index, let direction, let leg), .options(let index, let direction, let leg):
            _ = legIndex(index, direction, leg, entry)
        case .general, .elsewhere: break
        }
    }

    private mutating func put(_ setting: Setting, _ path: [String]) {
        guard let last = path.last else { return }
        var setting = setting
        setting.key = last.lowercased()
        setting.path = path.reduce(into: "") { $0 += ($0.isEmpty || $1.hasPrefix("[") ? "" : ".") + $1 }
        let other: Setting?
        switch Place(path.dropLast().map { $0.lowercased() }) {
        case .general: other = Self.put(setting, into: &general)
        case .account(let service, let name):
            let index = accountIndex(service, name)
            other = Self.put(setting, into: &accounts[index].settings)
        case .gateway(let isSame, let index):
            let index = gatewayIndex(index, isSame, setting.entry)
            other = Self.put(setting, into: &gateways[index].settings)
        case .leg(let index, let direction, let leg):
            let (gateway, leg) = legIndex(index, direction, leg, setting.entry)
            other = Self.put(setting, into: &gateways[gateway].legs[leg].settings)
        case .options(let index, let direction, let leg):
            let (gateway, leg) = legIndex(index, direction, leg, setting.entry)
            other = Self.put(setting, into: &gateways[gateway].legs[leg].options)
        case .elsewhere: other = nil
        }
        if let other, problem == nil {
            let line = entries[other.entry].lines.lowerBound
            problem = error(
                setting.entry, setting.path,
                "stands in line \(line) already; matterbridge does not tell capitals apart")
        }
    }

    /// - Returns: The setting of that key that was there before.
    private static func put(_ setting: Setting, into table: inout Table) -> Setting? {
        defer { table[setting.key] = setting }
        return table[setting.key]
    }

    private mutating func accountIndex(_ service: String, _ name: String) -> Int {
        let id = service + "." + name
        if let index = accounts.firstIndex(where: { $0.id == id }) { return index }
        accounts.append(Account(id: id, service: service, name: name))
        return accounts.count - 1
    }

    private mutating func gatewayIndex(_ index: Int, _ isSame: Bool, _ entry: Int) -> Int {
        let places = gateways.indices.filter { gateways[$0].isSameChannel == isSame }
        if index < places.count { return places[index] }
        gateways.append(Gateway(isSameChannel: isSame, entry: entry))
        return gateways.count - 1
    }

    private mutating func legIndex(_ index: Int, _ direction: Direction, _ leg: Int, _ entry: Int) -> (Int, Int) {
        let gateway = gatewayIndex(index, false, entry)
        let places = gateways[gateway].legs.indices.filter { gateways[gateway].legs[$0].direction == direction }
        if leg < places.count { return (gateway, places[leg]) }
        gateways[gateway].legs.append(Leg(direction: direction, entry: entry))
        return (gateway, gateways[gateway].legs.count - 1)
    }
}

extension MatterbridgeFile {
    /// Which table of the configuration a path means.
    private enum Place {
        case general
        case account(service: String, name: String)
        case gateway(isSameChannel: Bool, Int)
        case leg(gateway: Int, Direction, Int)
        case options(gateway: Int, Direction, Int)
        case elsewhere

        init(_ path: [String]) {
            let index = path.count > 1 ? Self.index(path[1]) : nil
            switch path.first {
            case "general" where path.count == 1: self = .general
            case "general", "tengo", nil: self = .elsewhere
            case "gateway", "samechannelgateway":
                let isSame = path.first == "samechannelgateway"
                guard let index else {
                    self = .elsewhere
                    return
                }
                self = Self.inGateway(index, isSame, path.dropFirst(2))
            case .some(let service):
                self = path.count == 2 && index == nil ? .account(service: service, name: path[1]) : .elsewhere
            }
        }

        private static func inGateway(_ index: Int, _ isSame: Bool, _ rest: ArraySlice<String>) -> Place {
            if rest.isEmpty { return .gateway(isSameChannel: isSame, index) }
            let rest = Array(rest)
            guard !isSame, rest.count >= 2, let direction = Direction(rawValue: rest[0]),
                let leg = self.index(rest[1])
            else { return .elsewhere }
            if rest.count == 2 { return .leg(gateway: index, direction, leg) }
            return rest.count == 3 && rest[2] == "options" ? .options(gateway: index, direction, leg) : .elsewhere
        }

        private static func index(_ part: String) -> Int? {
            part.hasPrefix("[") && part.hasSuffix("]") ? Int(part.dropFirst().dropLast()) : nil
        }
    }

    /// A JSON value whose members are found without looking at all of them: a file can have many.
    private indirect enum Tree {
        case table([String: Tree], JSON)
        case list([Tree], JSON)
        case leaf(JSON)

        init(_ json: JSON) {
            switch json {
            case .object(let members):
                self = .table(Dictionary(members.map { ($0.key, Tree($0.value)) }) { $1 }, json)
            case .array(let elements): self = .list(elements.map { Tree($0) }, json)
            default: self = .leaf(json)
            }
        }

        func value(at path: ArraySlice<String>) -> JSON? {
            guard let first = path.first else {
                switch self {
                case .table(_, let json), .list(_, let json), .leaf(let json): return json
                }
            }
            switch self {
            case .table(let members, _): return members[first]?.value(at: path.dropFirst())
            case .list(let elements, _):
                guard let index = Int(first.dropFirst().dropLast()), elements.indices.contains(index) else {
                    return nil
                }
                return elements[index].value(at: path.dropFirst())
            case .leaf: return nil
            }
        }
    }
}

extension MatterbridgeFile.Setting {
    /// Whether it says nothing: false, empty, or 0.
    var isOff: Bool {
        switch value {
        case .bool(let truth): !truth
        case .string(let text): text.isEmpty || text == "false" || text == "0"
        case .array(let elements): elements.isEmpty
        default: value.int == 0
        }
    }

    /// As a text, as matterbridge converts it; nil for lists and tables.
    var text: String? {
        switch value {
        case .string(let text): text
        case .bool(let truth): truth ? "true" : "false"
        case .array, .object, .null: nil
        default: value.int.map(String.init) ?? value.double.map { "\($0)" }
        }
    }

    /// As a truth value; nil where it is none.
    var truth: Bool? {
        switch value {
        case .bool(let truth): truth
        case .string(let text): ["true": true, "1": true, "false": false, "0": false, "": false][text.lowercased()]
        default: value.int.map { $0 != 0 }
        }
    }

    /// As a whole number; nil where it is none.
    var number: Int64? { value.int ?? value.string.flatMap { Int64($0) } }

    /// As a list of texts; nil where it is none.
    var texts: [String]? {
        guard let elements = value.array else { return text.map { $0.isEmpty ? [] : [$0] } }
        let texts = elements.compactMap(\.string)
        return texts.count == elements.count ? texts : nil
    }
}
