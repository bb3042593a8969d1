import CrowbarCore
import JSONBytes
import PluginWire

/// One queue while its plugin runs: the pure ``DeliveryQueue`` and the page of the log that it is being fed from.
struct QueueRunner {
    let id: QueueID
    /// As the plugin asked for it.
    var specification: PluginSession.Specification
    var filter: QueueFilter { specification.filter }
    let line: EventLine
    /// The log's head when the queue came to be: what is not behind it is history.
    let bornAt: Int64
    /// The log's head when this session began: the backlog ends there.
    let backlogEnd: Int64
    var queue: DeliveryQueue
    /// The plugin's own state, as JSON.
    var state: [UInt8]?
    /// The cursor as it was stored last.
    var savedCursor: LogEntryID?
    /// Something changed since the last save.
    var isDirty = false
    var lastSave: Int64 = 0
    var hasCaughtUp = false
    /// Taken slots whose events are being read again; nothing else goes out meanwhile, so that order is kept.
    var fetching: [(slot: Int, position: Int64)] = []
    /// The log has nothing behind ``DeliveryQueue/scanned``, as far as is known.
    var isAtEnd = false
    /// Dead letters that were redriven with success and wait for the save.
    var redriven: [Int64] = []
    /// How many of them are being saved.
    var redrivenUnderSave = 0
    /// When the plugin ceased to name this queue, Unix milliseconds: nothing is delivered any more.
    var droppedAt: Int64?

    /// The operator holds its deliveries back.
    var isPaused = false

    /// The part of the log that is replayed; nil in a life as usual.
    var replay: ReplayPlan?

    private var page = LogPage()
    private var next = 0
    private var lanes: [Int32?] = []
    private var wanted: [Bool?] = []

    /// Deliveries of one turn, so that no queue keeps the others waiting.
    static let turn = 256
    /// Events read again at once.
    static let fetch = 64
    /// Bytes of JSON a page.
    static let pageBytes = 512 << 10
    /// Entries a page.
    static let pageEntries = 4_096

    init(
        id: QueueID, specification: PluginSession.Specification, queue: DeliveryQueue, bornAt: Int64, backlogEnd: Int64,
        state: [UInt8]?,
        cursor: LogEntryID?
    ) {
        self.id = id
        self.specification = specification
        self.queue = queue
        self.bornAt = bornAt
        self.backlogEnd = backlogEnd
        self.state = state
        self.savedCursor = cursor
        line = EventLine(queue: id.queue)
    }

    /// Whether the queue as it runs is what is asked for, its window and what is only shown aside.
    func isServing(_ asked: PluginSession.Specification) -> Bool {
        var mine = specification
        mine.window = asked.window
        mine.start = asked.start
        mine.writes = asked.writes
        return mine == asked
    }

    /// Ends the queue: what is out is void, nothing more goes out.
    mutating func drop(at milliseconds: Int64) {
        droppedAt = milliseconds
        isDirty = false
        redriven = []
        redrivenUnderSave = 0
        fetching = []
        page = LogPage()
        next = 0
        isAtEnd = true
        queue = DeliveryQueue(settings: queue.settings, window: 0, resuming: .init(position: queue.scanned))
    }

    /// Whether a page is needed before more can go out.
    var needsPage: Bool {
        !isAtEnd && !isPaused && fetching.isEmpty && next >= page.entries.count && queue.wantsEvents && !isThrough
    }

    /// The end of a page that is being delivered and was cut by its limits, so that more is behind it; nil otherwise.
    var fullPageEnd: Int64? {
        let isCut = page.entries.count >= Self.pageEntries || page.bytes.count >= Self.pageBytes / 2
        return isCut && next < page.entries.count ? page.entries.last?.position : nil
    }

    /// Whether the part of a replay was looked through.
    private var isThrough: Bool { replay.map { queue.scanned >= $0.through } ?? false }

    /// Whether all of a replay's part is settled.
    var isReplayed: Bool {
        isThrough && queue.settledThrough >= queue.scanned && queue.unsettled == 0 && queue.parkedLanes.isEmpty
    }

    /// Takes a page that may begin before this queue's place.
    mutating func take(_ page: LogPage) {
        self.page = page
        queue.sweepLanes()
        lanes = Array(repeating: nil, count: page.names.count)
        wanted = Array(repeating: nil, count: page.names.count)
        // The page may be another queue's, whose place was before this one's.
        let scanned = queue.scanned
        var (low, high) = (0, page.entries.count)
        while low < high {
            let middle = (low + high) / 2
            if page.entries[middle].position <= scanned { low = middle + 1 } else { high = middle }
        }
        next = low
        if next >= page.entries.count { isAtEnd = true }
    }

    /// Whether something may go out at once.
    var hasWork: Bool { !isPaused && (next < page.entries.count || !queue.ready.isEmpty) }

    /// Lets the memory of a page go that nothing is taken from any more.
    mutating func releasePage() {
        if page.entries.isEmpty || hasWork || !queue.slots.isEmpty { return }
        page = LogPage()
        next = 0
    }

    /// Puts up to a turn of deliveries behind `out`.
    /// - Returns: How many.
    mutating func deliver(
        to out: inout [UInt8], from delivery: Int64, ownEvents: Bool, plugin: String, now: Int64, maxBytes: Int,
        only suspects: Set<Int64>? = nil, atMost limit: Int = turn
    ) -> Int {
        guard fetching.isEmpty, droppedAt == nil, !isPaused else { return 0 }
        var count = 0
        let most = suspects == nil ? min(limit, Self.turn) : 1
        while count < most, out.count < maxBytes {
            if let taken = suspects.map({ queue.take(oneOf: $0) }) ?? queue.take() {
                // What stands behind the cursor may be on the page by chance only.
                guard taken.slot >= 0, let entry = entry(at: taken.position) else {
                    collect(taken, min(most - count, Self.fetch))
                    break
                }
                let number = delivery + Int64(count)
                let attempt = queue.launch(slot: taken.slot, delivery: number, now: now)
                line.append(
                    delivery: number, position: taken.position, attempt: attempt,
                    uncounted: queue.uncountedDeliveries(slot: taken.slot, before: attempt), mode: mode(taken),
                    event: page.json(entry), to: &out)
                count += 1
            } else if next < page.entries.count, queue.wantsEvents, !isThrough {
                if let replay, page.entries[next].position > replay.through {
                    queue.skip(through: replay.through)
                    break
                }
                offer(page.entries[next], ownEvents, plugin)
                next += 1
            } else {
                break
            }
        }
        return count
    }

    /// Puts events that were read again behind `out`, in the order in which they were taken.
    mutating func deliver(fetched: LogPage, to out: inout [UInt8], from delivery: Int64, now: Int64) -> Int {
        var count = 0
        var at = 0
        for taken in fetching {
            let number = delivery + Int64(count)
            guard at < fetched.entries.count, fetched.entries[at].position == taken.position else { continue }
            guard queue.isTaken(taken.slot) else {
                at += 1
                continue
            }
            let (entry, mode) = (fetched.entries[at], mode(taken))
            let attempt = queue.launch(slot: taken.slot, delivery: number, now: now)
            if entry.audience == 0 || filter.wants(channel: fetched.name(entry.channel), isPrivate: true) {
                line.append(
                    delivery: number, position: taken.position, attempt: attempt,
                    uncounted: queue.uncountedDeliveries(slot: taken.slot, before: attempt), mode: mode,
                    event: fetched.json(entry), to: &out)
            } else {
                // It was parked or given up on when the manifest still allowed it.
                isDirty = queue.settle(number, now: now) || isDirty
            }
            at += 1
            count += 1
        }
        fetching = []
        return count
    }

    private func mode(_ taken: (slot: Int, position: Int64)) -> HostMessage.Mode {
        if replay != nil { return .replay }
        if queue.isRedrive(slot: taken.slot) { return .redrive }
        return taken.position <= bornAt ? .history : .live
    }

    private mutating func collect(_ first: (slot: Int, position: Int64), _ most: Int) {
        fetching = [first]
        while fetching.count < most, let more = queue.take() { fetching.append(more) }
    }

    // MARK: Parked lanes

    /// What should be read of a parked lane now, or nil.
    mutating func revival() -> (lane: LogLane, key: String, from: Int64, through: Int64)? {
        guard fetching.isEmpty, droppedAt == nil, !isPaused else { return nil }
        while let part = queue.revival() {
            if part.key.first == "=" {
                // A single event, which is known to be wanted.
                queue.takeIn(part.key, [part.from], through: part.through)
                continue
            }
            let name = String(part.key.dropFirst())
            return (part.key.first == "@" ? .user(name) : .channel(name), part.key, part.from, part.through)
        }
        return nil
    }

    /// Takes what was read of a parked lane.
    mutating func takeIn(_ page: LogPage, key: String, through: Int64, ownEvents: Bool, plugin: String) {
        let wanted = page.entries.filter {
            filter.wants($0.type) && (ownEvents || page.name($0.origin) != plugin)
                && wants($0, of: page)
        }
        queue.takeIn(key, wanted.map(\.position), through: page.entries.last?.position ?? through)
        isDirty = true
    }

    private func entry(at position: Int64) -> LogPage.Entry? {
        guard let first = page.entries.first, let last = page.entries.last, position >= first.position,
            position <= last.position
        else { return nil }
        // Most of the time it is the one that was offered a moment ago.
        if next > 0, page.entries[next - 1].position == position { return page.entries[next - 1] }
        var (low, high) = (0, page.entries.count)
        while low < high {
            let middle = (low + high) / 2
            if page.entries[middle].position < position { low = middle + 1 } else { high = middle }
        }
        return low < page.entries.count && page.entries[low].position == position ? page.entries[low] : nil
    }

    private mutating func offer(_ entry: LogPage.Entry, _ ownEvents: Bool, _ plugin: String) {
        isDirty = true
        guard filter.wants(entry.type), entry.audience == 0 ? wants(channel: entry.channel) : wants(entry, of: page),
            ownEvents || entry.origin < 0 || page.names[Int(entry.origin)] != plugin
        else { return queue.skip(through: entry.position) }
        let name = Int(entry.channel >= 0 ? entry.channel : entry.user)
        let lane: Int32
        // A user and a channel may bear the same name, so only channels are remembered by index.
        if entry.channel >= 0, let known = lanes[name] {
            lane = known
        } else if entry.channel >= 0 {
            lane = queue.lane("#" + page.names[name])
            lanes[name] = lane
        } else {
            lane = queue.lane("@" + page.names[name])
        }
        queue.offer(position: entry.position, lane: lane)
    }

    private func wants(_ entry: LogPage.Entry, of page: LogPage) -> Bool {
        guard let channel = page.name(entry.channel) else { return true }
        return filter.wants(channel: channel, isPrivate: entry.audience != 0) && isReplayed(channel: channel)
    }

    /// Whether an event of everybody is wanted by its channel, remembered for the page.
    private mutating func wants(channel index: Int32) -> Bool {
        guard index >= 0 else { return true }
        if let known = wanted[Int(index)] { return known }
        let name = page.names[Int(index)]
        let answer = filter.wants(channel: name, isPrivate: false) && isReplayed(channel: name)
        wanted[Int(index)] = answer
        return answer
    }

    private func isReplayed(channel: String) -> Bool {
        replay?.channels.map { $0.contains { QueueFilter.matches(channel, $0) } } ?? true
    }

    /// Where the queue stands, to be stored.
    func change(unixNow: Int64, now: Int64) -> CursorStore.Change {
        let retries = queue.openAttempts.compactMap { position, attempts -> QueueRecord.Retry? in
            guard let due = attempts.due else { return nil }
            return QueueRecord.Retry(
                position: position, deliveries: attempts.deliveries, counted: attempts.counted,
                due: unixNow + due - now, code: attempts.code, message: attempts.message, first: attempts.first)
        }
        return CursorStore.Change(
            id: id, settledThrough: queue.settledThrough, settled: queue.settledRanges,
            retries: retries.sorted { $0.position < $1.position },
            parked: queue.parkedStates.map { parked($0, unixNow - now) }, state: state, bornAt: bornAt,
            droppedAt: droppedAt, redriven: redriven, savedAt: unixNow)
    }

    private func parked(_ lane: DeliveryQueue.ParkedState, _ offset: Int64) -> QueueRecord.Parked {
        QueueRecord.Parked(
            lane: lane.key,
            first: QueueRecord.Retry(
                position: lane.position, deliveries: lane.attempts.deliveries, counted: lane.attempts.counted,
                due: lane.due.map { $0 + offset } ?? 0, code: lane.attempts.code, message: lane.attempts.message,
                first: lane.attempts.first), settled: lane.settled)
    }
}
