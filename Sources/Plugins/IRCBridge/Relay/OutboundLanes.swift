import DequeModule

/// Messages that wait, in one lane per channel of the chat and target on IRC. Lanes take turns, so that none starves
/// another.
struct OutboundLanes: Sendable {
    typealias Entry = OutboundQueue.Entry

    private var lanes: [String: Deque<Entry>] = [:]
    private var rotation: Deque<String> = []

    var isEmpty: Bool { rotation.isEmpty }
    /// The lanes in the order of their turns.
    var names: [String] { Array(rotation) }
    /// The first message of each lane.
    var heads: some Sequence<Entry> { lanes.values.lazy.compactMap(\.first) }
    /// All messages.
    var entries: some Sequence<Entry> { lanes.values.lazy.joined() }
    /// The first message of the lane whose turn it is.
    var next: Entry? { rotation.first.flatMap { lanes[$0]?.first } }
    var count: Int { rotation.count }

    /// The first message of a lane.
    func head(of lane: String) -> Entry? { lanes[lane]?.first }

    /// The lengths of the lanes whose first message has a property.
    func lengths(where isIt: (Entry) -> Bool) -> [String: Int] {
        lanes.filter { $0.value.first.map(isIt) == true }.mapValues(\.count)
    }

    mutating func append(_ entry: Entry) {
        open(entry.lane)
        lanes[entry.lane, default: []].append(entry)
    }

    mutating func prepend(_ entry: Entry) {
        open(entry.lane)
        lanes[entry.lane, default: []].prepend(entry)
    }

    /// Inserts a message at its place in the order of its lane.
    /// - Parameter afterBegun: Whether a message that is begun is finished first.
    mutating func insert(_ entry: Entry, afterBegun: Bool = false) {
        open(entry.lane)
        let waiting = lanes[entry.lane] ?? []
        let place = waiting.firstIndex { $0.order > entry.order && !(afterBegun && $0.isBegun) } ?? waiting.endIndex
        lanes[entry.lane, default: []].insert(entry, at: place)
    }

    private mutating func open(_ lane: String) {
        if lanes[lane] == nil { rotation.append(lane) }
    }

    /// Gives the turn to the next lane.
    mutating func rotate() { if let lane = rotation.popFirst() { rotation.append(lane) } }

    /// Removes the first message of the lane whose turn it is, and gives the turn to the next lane.
    mutating func removeNext() {
        guard let lane = rotation.popFirst() else { return }
        lanes[lane]?.removeFirst()
        if lanes[lane]?.isEmpty == false { rotation.append(lane) } else { lanes[lane] = nil }
    }

    /// Removes the first message of a lane.
    mutating func removeHead(of lane: String) -> Entry? {
        let entry = lanes[lane]?.popFirst()
        close(lane)
        return entry
    }

    private mutating func close(_ lane: String) {
        guard lanes[lane]?.isEmpty == true else { return }
        lanes[lane] = nil
        rotation.removeAll { $0 == lane }
    }

    /// Changes the first message of a lane.
    mutating func updateHead(of lane: String, _ body: (inout Entry) -> Void) {
        guard var head = lanes[lane]?.first else { return }
        body(&head)
        lanes[lane]?[0] = head
    }

    /// Changes all messages.
    mutating func updateAll(_ body: (inout Entry) -> Void) {
        for lane in rotation {
            lanes[lane] = lanes[lane].map {
                Deque(
                    $0.map { entry in
                        var entry = entry
                        body(&entry)
                        return entry
                    })
            }
        }
    }

    mutating func removeAll(where isIt: (Entry) -> Bool) {
        for lane in Array(lanes.keys) {
            lanes[lane]?.removeAll(where: isIt)
            close(lane)
        }
    }

    /// Renames lanes and changes their messages accordingly.
    mutating func rename(_ lane: (String) -> String, _ entry: (Entry) -> Entry) {
        lanes = lanes.reduce(into: [:]) { $0[lane($1.key)] = Deque($1.value.map(entry)) }
        rotation = Deque(rotation.map(lane))
    }
}
