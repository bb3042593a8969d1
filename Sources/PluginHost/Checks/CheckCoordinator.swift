import CrowbarCore
import CrowbarMetrics
import PluginWire
import Synchronization

/// Asks the plugins of the command phase about commands, within the times that ``CheckChain`` sets: the place where
/// ingest, the plugins' processes and the clock meet.
///
/// All state is under one lock, which is held for no longer than a look at it. A question ends by its answer, by the
/// end of the process, or by ``run()`` when its time is over; where ``run()`` does not run, nobody is asked.
public final class CheckCoordinator: Sendable {
    enum Limit {
        /// How exactly times are kept, in milliseconds.
        static let tick: Int64 = 10
    }

    /// How a process is reached.
    struct Port: Sendable {
        /// Which process it is.
        var session: String
        /// Puts a question; false where the process takes no more for now.
        var ask: @Sendable (_ id: Int64, _ withinMs: Int64, _ command: [UInt8]) -> Bool
        /// Tells what was wrong with an answer.
        var complain: @Sendable (String) -> Void
    }

    /// What the operator sees of a plugin's checks.
    struct Glance {
        var tally: Checker.Tally
        var isResting: Bool
        /// It failed too often and has not answered since.
        var isTripped: Bool
        var durations: Histogram
    }

    /// That a plugin is left in peace, or asked again, and why.
    struct BreakerNews: Equatable {
        var change: Breaker.Change
        /// What holds for commands while it is not asked.
        var onFailure: Manifest.OnFailure
        /// Why it is so.
        var reason: String

        /// In words, for the host's log.
        var text: String {
            switch change {
            case .opened:
                "its checks are suspended for \(Breaker.Limit.rest / 1000) s: \(reason); meanwhile "
                    + "on_failure = \"\(onFailure.rawValue)\" decides, then one command tries it"
            case .closed: "its checks go on: \(reason)"
            }
        }
    }

    private struct Question {
        var plugin: String
        var shown: [UInt8]
        var due: Int64
        var session: String
        var resume: @Sendable (CheckChain.Answer) -> Void
    }

    /// What came of a question; `isTrial` is nil where it was not put.
    private typealias Reply = (answer: CheckChain.Answer, isTrial: Bool?)

    private struct State {
        /// In the order in which they are asked.
        var checkers: [Checker] = []
        var ports: [String: Port] = [:]
        /// Who is told of breakers, by plugin.
        var listeners: [String: @Sendable (BreakerNews) -> Void] = [:]
        var questions: [Int64: Question] = [:]
        var lastID: Int64 = 0
        var isRunning = false

        func index(_ plugin: String) -> Int? { checkers.firstIndex { $0.name == plugin } }

        /// Takes off questions and gives what is to be told of them, outside of the lock.
        mutating func close(
            _ answer: CheckChain.Answer, where isMeant: (Question) -> Bool
        ) -> [() -> Void] {
            let closed = questions.filter { isMeant($0.value) }
            for (id, question) in closed {
                questions[id] = nil
                if let i = index(question.plugin) { checkers[i].settle() }
            }
            return closed.values.map { question in { question.resume(answer) } }
        }
    }

    private let now: @Sendable () -> Int64
    private let state = Mutex(State())
    private let wake: AsyncStream<Void>
    private let ring: AsyncStream<Void>.Continuation

    /// Makes a submitter that nobody is at yet.
    /// - Parameter now: Milliseconds on a monotonic clock.
    public init(now: @escaping @Sendable () -> Int64) {
        self.now = now
        (wake, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// What ingest asks.
    public var checks: CommandChecks {
        CommandChecks(concerns: { self.concerns($0) }, ask: { await self.ask($0) })
    }

    // MARK: Who is asked

    /// Has a plugin asked from now on, whether its process is there or not; or by another manifest.
    /// - Parameter tell: Called, on any thread and under no lock, when its breaker opens or closes.
    func enroll(_ manifest: Manifest, tell: (@Sendable (BreakerNews) -> Void)? = nil) {
        state.withLock { state in
            state.listeners[manifest.name] = tell
            if let i = state.index(manifest.name) {
                state.checkers[i].take(manifest)
            } else {
                state.checkers.append(Checker(manifest))
                if state.ports[manifest.name] != nil { state.checkers[state.checkers.count - 1].presence = .present }
            }
            state.checkers.sort { $0.isBefore($1) }
        }
    }

    /// Has a plugin not asked any more.
    func dismiss(_ plugin: String) {
        let closed = state.withLock { state in
            let closed = state.close(.failed(.absent)) { $0.plugin == plugin }
            state.checkers.removeAll { $0.name == plugin }
            state.listeners[plugin] = nil
            return closed
        }
        for tell in closed { tell() }
    }

    /// A plugin's process is at work, and asked from now on in place of any other of that plugin.
    func attach(_ plugin: String, _ port: Port) {
        let news = state.withLock { state -> (BreakerNews, (@Sendable (BreakerNews) -> Void)?)? in
            state.ports[plugin] = port
            guard let i = state.index(plugin) else { return nil }
            let wasTripped = state.checkers[i].isTripped
            state.checkers[i].presence = .present
            guard wasTripped else { return nil }
            let news = BreakerNews(
                change: .closed, onFailure: state.checkers[i].onFailure, reason: "a new process answers them")
            return (news, state.listeners[plugin])
        }
        if let (news, tell) = news { tell?(news) }
    }

    /// A plugin's process is asked to go; what it was asked before it may still answer.
    func leave(_ plugin: String) {
        state.withLock { state in
            state.ports[plugin] = nil
            if let i = state.index(plugin) { state.checkers[i].presence = .absent }
        }
    }

    /// A process is gone: what it was asked will not be answered.
    func detach(_ plugin: String, session: String) {
        let closed = state.withLock { state in
            if state.ports[plugin]?.session == session {
                state.ports[plugin] = nil
                if let i = state.index(plugin) { state.checkers[i].presence = .absent }
            }
            return state.close(.failed(.crash)) { $0.session == session }
        }
        for tell in closed { tell() }
    }

    /// How a plugin's checks go; nil where it is not asked.
    func snapshot(_ plugin: String) -> Glance? {
        let now = now()
        return state.withLock { state in
            state.index(plugin).map {
                let checker = state.checkers[$0]
                return Glance(
                    tally: checker.tally, isResting: checker.isResting(now: now), isTripped: checker.isTripped,
                    durations: checker.durations)
            }
        }
    }

    // MARK: Questions

    private func concerns(_ submission: Submission) -> Bool {
        state.withLock { $0.checkers.contains { $0.wants(submission) } }
    }

    private func ask(_ submission: Submission) async -> CommandChecks.Outcome {
        let members = state.withLock { state in
            state.checkers.filter { $0.wants(submission) }.map {
                CheckChain.Member(plugin: $0.name, onFailure: $0.onFailure)
            }
        }
        if members.isEmpty { return .passed(submission.command, record: nil) }
        var chain = CheckChain(submission, members: members, now: now())
        while true {
            switch chain.next(now: now()) {
            case .pass(let command, let record): return .passed(command, record: record)
            case .refuse(let error): return .refused(error)
            case .ask(let plugin, let shown, let within):
                let start = MonotonicClock.nanoseconds()
                let reply = await question(plugin, shown, within)
                if reply.isTrial != nil { record(plugin, MonotonicClock.nanoseconds() - start) }
                let outcome = chain.take(reply.answer)
                if let isTrial = reply.isTrial {
                    var failure = CheckChain.Failure.nonsense
                    if case .failed(let why) = reply.answer { failure = why }
                    note(plugin, outcome, isTrial, failure, chain.complaint)
                }
            }
        }
    }

    private func question(_ plugin: String, _ shown: [UInt8], _ within: Int64) async -> Reply {
        await withCheckedContinuation { (continuation: CheckedContinuation<Reply, Never>) in
            let now = now()
            enum Opening {
                case no(CheckChain.Failure)
                case open(Int64, Question, Port)
            }
            let opening = state.withLock { state -> Opening in
                guard state.isRunning, let i = state.index(plugin) else { return .no(.absent) }
                switch state.checkers[i].admit(now: now) {
                case .no(let failure): return .no(failure)
                case .ask(let isTrial):
                    guard let port = state.ports[plugin] else {
                        state.checkers[i].settle()
                        return .no(.absent)
                    }
                    let question = Question(
                        plugin: plugin, shown: shown, due: now + within, session: port.session,
                        resume: { continuation.resume(returning: ($0, isTrial)) })
                    state.lastID += 1
                    state.questions[state.lastID] = question
                    return .open(state.lastID, question, port)
                }
            }
            switch opening {
            case .no(let failure): continuation.resume(returning: (.failed(failure), nil))
            case .open(let id, let question, let port):
                ring.yield()
                put(id, question, port)
            }
        }
    }

    private func record(_ plugin: String, _ nanoseconds: UInt64) {
        let durations = state.withLock { state in state.index(plugin).map { state.checkers[$0].durations } }
        durations?.record(nanoseconds: nanoseconds)
    }

    private func note(
        _ plugin: String, _ outcome: CheckChain.Outcome, _ isTrial: Bool, _ failure: CheckChain.Failure,
        _ complaint: String?
    ) {
        let now = now()
        let (port, news, tell) = state.withLock { state in
            var news: BreakerNews?
            if let i = state.index(plugin), let change = state.checkers[i].note(outcome, isTrial: isTrial, now: now) {
                let (count, seconds) = (Breaker.Limit.failures, Breaker.Limit.window / 1000)
                news = BreakerNews(
                    change: change, onFailure: state.checkers[i].onFailure,
                    reason: change == .closed
                        ? "it answers again" : "\(count) failures within \(seconds) s, the last: \(failure.rawValue)")
            }
            return (state.ports[plugin], news, state.listeners[plugin])
        }
        if let complaint { port?.complain(complaint) }
        if let news { tell?(news) }
    }

    private func put(_ id: Int64, _ question: Question, _ port: Port) {
        if port.ask(id, max(1, question.due - now()), question.shown) { return }
        _ = close(id, .failed(.busy))
    }

    /// Takes the answer to a question; false where it is not open: never put, answered, or too late.
    func take(_ answer: CheckChain.Answer, to id: Int64, from plugin: String) -> Bool {
        guard state.withLock({ $0.questions[id]?.plugin == plugin }) else { return false }
        return close(id, answer)
    }

    private func close(_ id: Int64, _ answer: CheckChain.Answer) -> Bool {
        let question = state.withLock { state -> Question? in
            guard let question = state.questions.removeValue(forKey: id) else { return nil }
            if let i = state.index(question.plugin) { state.checkers[i].settle() }
            return question
        }
        question?.resume(answer)
        return question != nil
    }

    // MARK: Time

    /// Ends questions whose time is over, until ``close()``.
    public func run() async {
        state.withLock { $0.isRunning = true }
        for await _ in wake {
            while let due = state.withLock({ $0.questions.values.map(\.due).min() }) {
                // A later question may have less time than the one that is waited for.
                let wait = min(due - now(), Limit.tick)
                // A cancelled sleep returns at once; then everything is over anyway.
                if wait > 0, (try? await Task.sleep(for: .milliseconds(wait))) == nil { break }
                let now = now()
                let late = state.withLock { $0.close(.failed(.timeout)) { $0.due <= now } }
                for tell in late { tell() }
            }
        }
        let left = state.withLock { state in
            state.isRunning = false
            return state.close(.failed(.absent)) { _ in true }
        }
        for tell in left { tell() }
    }

    /// Ends ``run()``.
    public func close() { ring.finish() }
}
