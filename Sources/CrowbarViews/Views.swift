import CrowbarCore
import Dispatch
import Logging
import Synchronization

/// The views of a log, as the rest of the server uses them: opens `views.db`, keeps it in step with the log, and
/// answers from it.
///
/// Nothing else waits for it. While the file is not open, every question is answered with ``ViewRefusal/notOpen``; a
/// file that cannot be opened is tried again, and one that is damaged is replaced.
public final class Views: Sendable {
    /// The pause before a file that could not be opened is tried again.
    private static let pause = Duration.seconds(5)

    struct Opened {
        var engine: ViewEngine
        var reader: ViewReader
    }

    private struct State {
        var opened: Opened?
        /// Those who wait until the file is open, by number.
        var waiting: [Int: CheckedContinuation<ViewEngine?, Never>] = [:]
        var nextNumber = 0
    }

    private let path: String
    let log: any EventLog
    private let logger: Logger
    /// Milliseconds of a clock that is never set.
    public let clock: @Sendable () -> Int64
    /// How publishing goes.
    public let publishing = PublishBoard()
    private let state = Mutex(State())
    /// Opening may drop large tables of an older version, so it has a thread of its own.
    private let queue = DispatchQueue(label: "crowbar.views.open")

    /// Makes the views of a log. Nothing is opened before ``run()``.
    /// - Parameters:
    ///   - path: The database file; its folder must be there.
    ///   - clock: Milliseconds of a clock that is never set.
    public init(path: String, log: any EventLog, logger: Logger, clock: @escaping @Sendable () -> Int64) {
        self.path = path
        self.log = log
        self.logger = logger
        self.clock = clock
    }

    /// Keeps the views in step with the log until the task is cancelled. It never fails: what goes wrong is logged and
    /// tried again.
    public func run() async {
        var lastProblem: String?
        while !Task.isCancelled {
            do {
                let engine = try await open()
                lastProblem = nil
                publish(engine)
                let end = await engine.run()
                state.withLock { $0.opened = nil }
                engine.close()
                if end == .damaged {
                    logger.error(
                        "views.db is damaged and is replaced; all views are rebuilt from the log",
                        metadata: ["path": "\(path)"])
                    ViewsDatabase.remove(path)
                }
            } catch {
                // Once for each reason: the disk may be full for long.
                if lastProblem != "\(error)" {
                    logger.error(
                        """
                        views cannot be served: views.db cannot be opened; the server tries again every \(Self.pause), \
                        and everything else goes on
                        """, metadata: ["error": "\(error)"])
                }
                lastProblem = "\(error)"
                try? await Task.sleep(for: Self.pause)
            }
        }
    }

    private func publish(_ engine: ViewEngine) {
        let waiting = state.withLock { state in
            defer { state.waiting = [:] }
            state.opened = Opened(engine: engine, reader: ViewReader(engine))
            return state.waiting.values
        }
        for waiter in waiting { waiter.resume(returning: engine) }
    }

    private func open() async throws -> ViewEngine {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [path, log, logger, clock] in
                continuation.resume(
                    with: Result { try ViewEngine(path: path, log: log, logger: logger, clock: clock) })
            }
        }
    }

    /// What answers from the rows.
    /// - Throws: ``ViewRefusal/notOpen``.
    public func reader() throws(ViewRefusal) -> ViewReader { try current().reader }

    func current() throws(ViewRefusal) -> Opened {
        guard let opened = state.withLock({ $0.opened }) else { throw .notOpen }
        return opened
    }

    /// Waits until a view has applied the event at a position.
    /// - Returns: Whether it has; false once `timeout` has passed.
    public func wait(for view: ViewName, position: Int64, timeout: Duration) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.engineOnceOpen()?.arrival(of: view, at: position) ?? false }
            group.addTask {
                try? await Task.sleep(for: timeout)
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            // What has arrived already is said even where nobody waits for it.
            if await group.next() == true { return true }
            return first
        }
    }

    /// The engine, as soon as there is one; nil where the task is cancelled before.
    private func engineOnceOpen() async -> ViewEngine? {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: ViewEngine?? = state.withLock { state in
                    if let opened = state.opened { return .some(opened.engine) }
                    if Task.isCancelled { return .some(nil) }
                    state.waiting[number] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: number) }?.resume(returning: nil)
        }
    }

    /// The state of each view.
    /// - Throws: ``ViewRefusal/notOpen``, or the database's error.
    public func states() async throws -> [ViewState] { try await current().engine.states() }

    /// How much of the log a view has applied, from 0 to 1, below 1 where anything is missing; nil where that cannot be
    /// told now.
    public func progress(of view: ViewName) async -> Double? {
        guard let states = try? await states(), let state = states.first(where: { $0.name == view }),
            let head = try? await log.head()
        else { return nil }
        return state.progress(head: head.position)
    }
}

extension Views: ErasedCopies {
    public func purgeErased(through position: Int64) async throws -> Bool {
        guard let opened = state.withLock({ $0.opened }) else { return false }
        return try await opened.engine.purgeErased(through: position)
    }
}
