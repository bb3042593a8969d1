import CrowbarCore

// What others see of the generations.
extension ViewWriter {
    /// Where views wait for events: each position once, those that are served first.
    var positions: [Int64] {
        let running = slots.filter { $0.stopped == nil }
        var found: [Int64] = []
        for slot in running.filter(\.isLive) + running.filter({ !$0.isLive })
        where !found.contains(slot.checkpoint.position) {
            found.append(slot.checkpoint.position)
        }
        return found
    }

    /// Whether every generation has applied the event at a position. An outdated one never does.
    func hasApplied(_ position: Int64) -> Bool {
        outdated.isEmpty && slots.allSatisfy { $0.checkpoint.position >= position }
    }

    /// The state of each view.
    var states: [ViewState] {
        ViewName.allCases.map { name in
            if name == .search { return indexState }
            let mine = slots.filter { $0.name == name }
            let live = mine.first { $0.isLive }
            let old = live == nil ? outdated.first { $0.name == name } : nil
            return ViewState(
                name: name, version: old?.version ?? versions.version(of: name),
                live: live?.checkpoint ?? old?.checkpoint, isOutdated: old != nil,
                build: mine.first { !$0.isLive }?.checkpoint, stopped: mine.compactMap(\.stopped).first)
        }
    }

    private var indexState: ViewState {
        let messages = slots.filter { $0.name == .messages }
        let live = messages.first { $0.isLive }
        let old = outdated.first { $0.name == .messages && $0.hasIndex }
        let indexes = messages.flatMap { ($0.rows as? MessageRows)?.indexes ?? [] }
        let isServed = (live?.rows as? MessageRows)?.indexes.contains { $0.through == nil } ?? false
        return ViewState(
            name: .search, version: versions.version(of: .search),
            live: live == nil ? old?.checkpoint : isServed ? live?.checkpoint : nil,
            isOutdated: live == nil && old != nil,
            build: indexes.compactMap(\.through).first.map { ViewCheckpoint(position: $0, eventId: "") },
            stopped: messages.compactMap(\.stopped).first)
    }
}
