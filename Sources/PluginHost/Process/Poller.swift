import CSpawn
import Glibc
import Synchronization
import SystemPackage

/// Tells when pipes are ready to be read or written, and runs the tasks of the sessions whose pipes they are: one
/// thread and one epoll instance (epoll(7)), so that between a plugin's line and what it leads to no thread has to be
/// woken.
///
/// Dispatch has sources for pipes, which crash the process now and then when a pipe hangs up while its source is
/// cancelled (`docs/decisions/0025`).
final class Poller: TaskExecutor {
    /// One for each processor, up to ``most``; sessions take turns.
    private static let all = (0..<max(1, min(most, sysconf(Int32(_SC_NPROCESSORS_ONLN))))).map { _ in Poller() }
    private static let most = 8
    private static let turn = Atomic<Int>(0)

    /// The one whose turn it is.
    static func next() -> Poller {
        all[turn.wrappingAdd(1, ordering: .relaxed).oldValue % all.count]
    }

    enum Readiness: Sendable {
        case reading
        case writing
    }

    /// A pipe that is looked at.
    struct Watch: Sendable {
        fileprivate let owner: Poller
        fileprivate let poller: Int32
        fileprivate let pipe: Int32
        fileprivate let readiness: Readiness
        fileprivate let number: UInt64

        /// Lets it be told once more that the pipe is ready. Not to be called after ``cancel()``.
        func arm() { _ = tell(again: true) }

        /// Forgets the pipe, which has to be done before it is closed. What is being told at this moment is still told.
        func cancel() {
            CSpawn_forget(poller, pipe)
            owner.state.withLock { $0.handlers[number] = nil }
        }

        fileprivate func tell(again: Bool) -> Int32 {
            CSpawn_watch(poller, pipe, readiness == .writing, number, again)
        }
    }

    private struct State {
        /// Made with the first watch or session; it lives as long as the process.
        var descriptors: (poller: Int32, waker: Int32)?
        var last: UInt64 = 0
        var handlers: [UInt64: @Sendable () -> Void] = [:]
        var jobs: [UnownedJob] = []
        /// The thread waits, or is about to, and nobody has woken it.
        var isAsleep = false
    }

    /// What the thread does.
    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    /// Pipes that are told of at a time.
    private static let batch = 64
    /// How often jobs that jobs lead to are run before pipes are looked at again.
    private static let rounds = 16

    private let state = Mutex(State())

    private init() {}

    /// Begins to look at a pipe.
    /// - Parameter onReady: Is told once that the pipe is ready, or that its other end is closed, and again after each
    ///   ``Watch/arm()``. Called on the thread that looks at all pipes, so it has to hand on what takes time.
    /// - Throws: Where the system has no memory or descriptors.
    func watch(
        _ pipe: FileDescriptor, for readiness: Readiness, onReady: @escaping @Sendable () -> Void
    ) throws(Errno) -> Watch {
        let (poller, number) = try state.withLock { state throws(Errno) -> (Int32, UInt64) in
            let poller = try begin(&state).poller
            state.last += 1
            state.handlers[state.last] = onReady
            return (poller, state.last)
        }
        let watch = Watch(
            owner: self, poller: poller, pipe: pipe.rawValue, readiness: readiness, number: number)
        let problem = watch.tell(again: false)
        guard problem == 0 else {
            state.withLock { $0.handlers[number] = nil }
            throw Errno(rawValue: problem)
        }
        return watch
    }

    /// Sees to it that the thread runs, before a task prefers it.
    /// - Throws: Where the system has no memory, threads or descriptors.
    func begin() throws(Errno) { _ = try state.withLock { state throws(Errno) in try begin(&state) } }

    private func begin(_ state: inout State) throws(Errno) -> (poller: Int32, waker: Int32) {
        if let made = state.descriptors { return made }
        let poller = CSpawn_poller()
        guard poller >= 0 else { throw Errno(rawValue: -poller) }
        let waker = CSpawn_waker(poller)
        guard waker >= 0 else {
            close(poller)
            throw Errno(rawValue: -waker)
        }
        var thread = pthread_t()
        let body = Unmanaged.passRetained(Body { self.run(poller, waker) })
        let problem = pthread_create(
            &thread, nil,
            { body in
                if let body { Unmanaged<Body>.fromOpaque(body).takeRetainedValue().run() }
                return nil
            }, body.toOpaque())
        guard problem == 0 else {
            body.release()
            close(waker)
            close(poller)
            throw Errno(rawValue: problem)
        }
        pthread_detach(thread)
        state.descriptors = (poller, waker)
        return (poller, waker)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let waker = state.withLock { state -> Int32? in
            state.jobs.append(job)
            guard state.isAsleep else { return nil }
            state.isAsleep = false
            return state.descriptors?.waker
        }
        if let waker { CSpawn_wake(waker) }
    }

    private func run(_ poller: Int32, _ waker: Int32) {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Self.batch) { numbers in
            while true {
                let isIdle = state.withLock {
                    $0.isAsleep = $0.jobs.isEmpty
                    return $0.isAsleep
                }
                let count = CSpawn_wait(poller, waker, isIdle, numbers.baseAddress)
                // What the handlers lead to is run below, without being woken for.
                if isIdle { state.withLock { $0.isAsleep = false } }
                for number in numbers[..<Int(count)] {
                    // A watch that was cancelled since is not there any more: its number is nobody else's.
                    state.withLock { $0.handlers[number] }?()
                }
                runJobs()
            }
        }
    }

    private func runJobs() {
        for _ in 0..<Self.rounds {
            let jobs = state.withLock { state in
                let jobs = state.jobs
                state.jobs = []
                return jobs
            }
            if jobs.isEmpty { return }
            for job in jobs { job.runSynchronously(on: asUnownedTaskExecutor()) }
        }
    }
}
