import CrowbarCore

/// Which events a reader wants.
struct EventFilter: Sendable {
    private var types: Set<EventType>?
    private var channels: Set<String>?

    /// Reads `type=A,B` and `channel=C,D`.
    /// - Throws: ``APIFailure`` with `invalid_command` that names the parameter.
    init(_ query: Query) throws(APIFailure) {
        if let names = try Self.names(query, "type") {
            var types: Set<EventType> = []
            for name in names {
                guard let type = EventType(name: name) else {
                    let known = EventType.allCases.map(\.name).joined(separator: ", ")
                    throw APIFailure(
                        .invalidCommand, "there is no event type '\(name.prefix(64))'; there are \(known)",
                        field: "type")
                }
                types.insert(type)
            }
            self.types = types
        }
        if let names = try Self.names(query, "channel") {
            for name in names where !Identifier.isChannel(name) {
                throw APIFailure(.invalidCommand, "'\(name.prefix(64))' is no channel's id", field: "channel")
            }
            channels = Set(names)
        }
    }

    private static func names(_ query: Query, _ parameter: String) throws(APIFailure) -> [String]? {
        guard let text = query[parameter] else { return nil }
        let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard (1...APIConfiguration.Limit.filterNames).contains(names.count) else {
            throw APIFailure(
                .invalidCommand, "'\(parameter)' takes 1 to \(APIConfiguration.Limit.filterNames) names, with commas",
                field: parameter)
        }
        return names
    }

    /// Whether it wants an entry of a page. A filter by channel leaves out events without a channel.
    func accepts(_ entry: LogPage.Entry, of page: LogPage) -> Bool {
        accepts(entry.type, in: channels == nil ? nil : page.name(entry.channel))
    }

    /// As ``accepts(_:of:)``.
    func accepts(_ type: EventType, in channel: String?) -> Bool {
        if let types, !types.contains(type) { return false }
        guard let channels else { return true }
        return channel.map(channels.contains) ?? false
    }

    /// Whether it wants anything of a channel.
    func accepts(channel: String) -> Bool { channels?.contains(channel) ?? true }
}
