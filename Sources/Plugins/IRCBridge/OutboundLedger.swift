import DequeModule

/// What is to be said on one network, from its delivery until the server is known to have it.
///
/// Messages wait in a lane for each channel of the chat and leave lane by lane in turn, so that none starves another.
/// What was written stays here until the PONG to a PING written behind it (the fence): a server handles a client's
/// lines in order, so the PONG says that it has them. Until then a lost connection brings them back, in order.
struct OutboundLedger: Sendable {
    /// One delivery.
    struct Entry: Equatable, Sendable {
        var delivery: Int64
        var message: ChatMessage
        /// The channels on IRC that it goes to.
        var targets: [String]
        /// Why it will not reach one of them, once that is known.
        var failure: String?
        /// Whether the bridge itself is to say it, because its author's own connection could not.
        var isForRelay = false
        /// Whether nothing of it is written where one of its targets cannot be reached.
        var isWhole = false
        /// Its place among all.
        fileprivate var order = 0
        fileprivate var lines: [String]?
        fileprivate var nextLine = 0
        fileprivate var fence = 0
        /// The labels of its lines that the server has not answered.
        fileprivate var labels: Set<Int> = []

        init(delivery: Int64, message: ChatMessage, targets: [String]) {
            (self.delivery, self.message, self.targets) = (delivery, message, targets)
        }

        fileprivate var isBegun: Bool { nextLine > 0 }
    }

    /// How a target stands.
    enum TargetState: Equatable, Sendable {
        case joined
        /// Not yet joined; messages wait.
        case waiting
        /// Refused for long; messages to it fail with this reason.
        case dead(String)
    }

    /// What a turn gives.
    enum Turn: Sendable {
        /// Write this line.
        case line(String)
        /// There was nothing to write for this one.
        case settled(Entry)
    }

    private var lanes: [String: Deque<Entry>] = [:]
    private var rotation: Deque<String> = []
    private var sent: Deque<Entry> = []
    /// By lane what was given to an author's own connection, by its serial, and is not confirmed by it.
    private var abroad: [String: Deque<(serial: Int, entry: Entry)>] = [:]
    private var lastOrder = 0
    /// Whether an author's own connection may speak once the server has what the bridge said before.
    private(set) var isAwaited = false
    /// Whether lines are written with labels, which the server answers.
    var isLabelled = false
    private var lastLabel = 0
    private var lastFence = 0
    private var fenceInFlight: Int?

    /// Deliveries that are held.
    var count: Int {
        lanes.values.reduce(0) { $0 + $1.count } + sent.count + abroad.values.reduce(0) { $0 + $1.count }
    }
    /// Whether something is left to authors' own connections.
    var isAbroad: Bool { !abroad.isEmpty }
    /// Deliveries whose lines were all written, and no PONG has come.
    var sentCount: Int { sent.count }
    /// Lines of these.
    private(set) var sentLines = 0
    /// Whether something waits to be written.
    var hasWaiting: Bool { !rotation.isEmpty }
    /// Whether a message has some of its lines written and some not.
    var hasBegun: Bool { rotation.contains { lanes[$0]?.first?.isBegun == true } }
    /// Whether a fence can be written: there is something behind the last one, whose PONG has come.
    var needsFence: Bool { fenceInFlight == nil && !sent.isEmpty }
    /// Whether a PONG is waited for.
    var isFenced: Bool { fenceInFlight != nil }

    /// Takes a delivery; those of one channel of the chat come in order.
    mutating func accept(_ entry: Entry) {
        let lane = entry.message.channel
        lastOrder += 1
        var entry = entry
        entry.order = lastOrder
        if lanes[lane] == nil { rotation.append(lane) }
        lanes[lane, default: []].append(entry)
    }

    /// Gives to the authors' own connections what they can say now. Only one connection at a time says something of a
    /// lane: the next one begins once the server has confirmed what the one before said.
    /// - Parameter voice: Who is to say an entry.
    mutating func handOver(_ voice: (Entry) -> PuppetPool.Voice) -> [(serial: Int, entry: Entry)] {
        var handed: [(Int, Entry)] = []
        isAwaited = false
        for lane in rotation {
            while let head = lanes[lane]?.first, head.lines == nil, case .puppet(let serial) = voice(head) {
                if let other = abroad[lane]?.first?.serial, other != serial { break }
                if sent.contains(where: { $0.message.channel == lane }) {
                    isAwaited = true
                    break
                }
                lanes[lane]?.removeFirst()
                abroad[lane, default: []].append((serial, head))
                handed.append((serial, head))
            }
        }
        for lane in rotation where lanes[lane]?.isEmpty == true { lanes[lane] = nil }
        rotation.removeAll { lanes[$0] == nil }
        return handed
    }

    /// An author's connection has confirmed some deliveries.
    /// - Returns: Those that it was given.
    mutating func confirm(_ serial: Int, _ deliveries: [Int64]) -> [Int64] {
        let confirmed = Set(deliveries)
        return takeAbroad { $0 == serial && confirmed.contains($1.delivery) }.map(\.delivery)
    }

    /// Takes back what an author's connection was given, to be said again in its old place.
    /// - Parameters:
    ///   - delivery: Only this one, which is then said by the bridge; nil: all.
    mutating func takeBack(from serial: Int, _ delivery: Int64? = nil) -> [Entry] {
        let back = takeAbroad { $0 == serial && (delivery == nil || delivery == $1.delivery) }
        for var entry in back {
            if delivery != nil { entry.isForRelay = true }
            let lane = entry.message.channel
            if lanes[lane] == nil { rotation.append(lane) }
            let order = entry.order
            let place = lanes[lane]?.firstIndex { $0.order > order } ?? lanes[lane]?.endIndex ?? 0
            lanes[lane, default: []].insert(entry, at: place)
        }
        return back
    }

    private mutating func takeAbroad(_ isTaken: (Int, Entry) -> Bool) -> [Entry] {
        var taken: [Entry] = []
        for (lane, entries) in abroad {
            var kept: Deque<(serial: Int, entry: Entry)> = []
            for one in entries {
                if isTaken(one.serial, one.entry) { taken.append(one.entry) } else { kept.append(one) }
            }
            if kept.count < entries.count { abroad[lane] = kept.isEmpty ? nil : kept }
        }
        return taken.sorted { $0.order < $1.order }
    }

    /// The next thing to do, lane by lane; nil where all that waits has to wait.
    /// - Parameters:
    ///   - onlyBegun: Begin no message, only finish.
    ///   - voice: Who is to say an entry.
    ///   - state: How a target stands.
    ///   - render: The lines of a message for one target.
    mutating func turn(
        onlyBegun: Bool = false, voice: (Entry) -> PuppetPool.Voice = { _ in .relay },
        state: (String) -> TargetState, render: (ChatMessage, String) -> [String]
    ) -> Turn? {
        for _ in 0..<rotation.count {
            guard let lane = rotation.first, var entry = lanes[lane]?.first else { return nil }
            if entry.lines == nil, abroad[lane] == nil, !onlyBegun, voice(entry) == .relay {
                Self.prepare(&entry, state, render)
            }
            guard let lines = entry.lines else {
                rotation.append(rotation.removeFirst())
                continue
            }
            guard entry.nextLine < lines.count else {
                removeHead(lane)
                return .settled(entry)
            }
            var line = lines[entry.nextLine]
            if isLabelled {
                lastLabel += 1
                entry.labels.insert(lastLabel)
                line = "@label=\(lastLabel) " + line
            }
            entry.nextLine += 1
            if entry.nextLine == lines.count {
                removeHead(lane)
                sent.append(entry)
                sentLines += lines.count
            } else {
                lanes[lane]?[0] = entry
            }
            return .line(line)
        }
        return nil
    }

    private static func prepare(
        _ entry: inout Entry, _ state: (String) -> TargetState, _ render: (ChatMessage, String) -> [String]
    ) {
        var lines: [String] = []
        for target in entry.targets {
            switch state(target) {
            case .waiting: return
            case .dead(let reason): entry.failure = reason
            case .joined: lines += render(entry.message, target)
            }
        }
        entry.lines = entry.isWhole && entry.failure != nil ? [] : lines
    }

    private mutating func removeHead(_ lane: String) {
        lanes[lane]?.removeFirst()
        rotation.removeFirst()
        if lanes[lane]?.isEmpty == false { rotation.append(lane) } else { lanes[lane] = nil }
    }

    /// Sets a fence behind all that was written.
    /// - Returns: What the PING has to carry.
    mutating func fence() -> String {
        lastFence += 1
        fenceInFlight = lastFence
        for i in sent.indices where sent[i].fence == 0 { sent[i].fence = lastFence }
        return Self.token(lastFence)
    }

    private static func token(_ fence: Int) -> String { "crowbar-\(fence)" }

    /// Takes a PONG.
    /// - Returns: What the server is now known to have.
    mutating func pong(_ token: String) -> [Entry] {
        guard let fence = fenceInFlight, token == Self.token(fence) else { return [] }
        fenceInFlight = nil
        var done: [Entry] = []
        while let first = sent.first, first.fence != 0, first.fence <= fence { done.append(sent.removeFirst()) }
        countSent()
        return done
    }

    /// Takes out what waits, is not begun and is not wanted any more, in order.
    mutating func removeWaiting(where isLeft: (Entry) -> Bool) -> [Entry] {
        var removed: [Entry] = []
        for lane in lanes.keys.sorted() {
            guard let entries = lanes[lane] else { continue }
            var kept: Deque<Entry> = []
            for entry in entries {
                if !entry.isBegun, isLeft(entry) { removed.append(entry) } else { kept.append(entry) }
            }
            lanes[lane] = kept.isEmpty ? nil : kept
        }
        rotation.removeAll { lanes[$0] == nil }
        return removed
    }

    /// The server has answered a line.
    /// - Parameters:
    ///   - label: The line's.
    ///   - failure: Why it does not take it, where it does not.
    /// - Returns: What the server is now known to have, or not to take.
    mutating func answered(_ label: String, failure: String?) -> [Entry] {
        guard let label = Int(label) else { return [] }
        for lane in rotation where lanes[lane]?.first?.labels.contains(label) == true {
            lanes[lane]?[0].labels.remove(label)
            if let failure { lanes[lane]?[0].failure = failure }
            return []
        }
        guard let i = sent.firstIndex(where: { $0.labels.contains(label) }) else { return [] }
        sent[i].labels.remove(label)
        if let failure { sent[i].failure = failure }
        guard sent[i].labels.isEmpty else { return [] }
        let done = sent.remove(at: i)
        countSent()
        return [done]
    }

    /// The server did not take what was written to a target; which lines is not known, so all not yet fenced count.
    /// - Parameter topics: Whether it was a topic that it did not take.
    mutating func fail(_ target: String, _ reason: String, topics: Bool) {
        for i in sent.indices where sent[i].targets.contains(target) && sent[i].message.isTopic == topics {
            sent[i].failure = reason
        }
    }

    /// Takes back what was written to a target since the last PONG, to be written again: the client was not there.
    mutating func takeBack(_ target: String) {
        let back = sent.filter { $0.targets.contains(target) }
        sent.removeAll { $0.targets.contains(target) }
        countSent()
        for lane in rotation {
            if let head = lanes[lane]?.first, head.targets.contains(target) { lanes[lane]?[0] = Self.unwritten(head) }
        }
        restore(back)
    }

    /// A target is linked no more: what waits goes to the others alone.
    mutating func forget(_ target: String) {
        for lane in rotation {
            for i in lanes[lane]?.indices ?? 0..<0 { lanes[lane]?[i].targets.removeAll { $0 == target } }
        }
    }

    /// Forgets all deliveries, as they come again.
    mutating func clear() {
        lanes = [:]
        rotation = []
        sent = []
        sentLines = 0
        fenceInFlight = nil
        abroad = [:]
    }

    /// The connection is lost: all that is not known to have arrived waits again, in its old order.
    mutating func connectionLost() {
        let back = Array(sent)
        sent = []
        sentLines = 0
        fenceInFlight = nil
        for lane in rotation { if let head = lanes[lane]?.first { lanes[lane]?[0] = Self.unwritten(head) } }
        restore(back)
    }

    private mutating func countSent() { sentLines = sent.reduce(0) { $0 + ($1.lines?.count ?? 0) } }

    private static func unwritten(_ entry: Entry) -> Entry {
        var fresh = Entry(delivery: entry.delivery, message: entry.message, targets: entry.targets)
        (fresh.isForRelay, fresh.isWhole, fresh.order) = (entry.isForRelay, entry.isWhole, entry.order)
        return fresh
    }

    private mutating func restore(_ entries: some BidirectionalCollection<Entry>) {
        for entry in entries.reversed() {
            let lane = entry.message.channel
            if lanes[lane] == nil { rotation.append(lane) }
            lanes[lane, default: []].prepend(Self.unwritten(entry))
        }
    }
}
