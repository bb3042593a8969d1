import CSpawn
import Glibc
import Synchronization
import SystemPackage

/// Tells when pipes are ready to be read or written: one thread and one epoll instance (epoll(7)) for all of them.
///
/// Dispatch has sources for that, which crash the process now and then when a pipe hangs up while its source is
/// cancelled (`docs/decisions/0025`).
final class Poller: Sendable {
    /// The process' own.
    static let shared = Poller()

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
        /// Made with the first watch; it lives as long as the process.
        var poller: Int32?
        var last: UInt64 = 0
        var handlers: [UInt64: @Sendable () -> Void] = [:]
    }

    /// What the thread does.
    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    /// Pipes that are told of at a time.
    private static let batch = 64

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
            let poller: Int32
            if let made = state.poller { poller = made } else { poller = try begin() }
            state.poller = poller
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

    private func begin() throws(Errno) -> Int32 {
        let poller = CSpawn_poller()
        guard poller >= 0 else { throw Errno(rawValue: -poller) }
        var thread = pthread_t()
        let body = Unmanaged.passRetained(Body { self.run(poller) })
        let problem = pthread_create(
            &thread, nil,
            { body in
                if let body { Unmanaged<Body>.fromOpaque(body).takeRetainedValue().run() }
                return nil
            }, body.toOpaque())
        guard problem == 0 else {
            body.release()
            close(poller)
            throw Errno(rawValue: problem)
        }
        pthread_detach(thread)
        return poller
    }

    private func run(_ poller: Int32) {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Self.batch) { numbers in
            while true {
                let count = CSpawn_wait(poller, numbers.baseAddress)
                for number in numbers[..<Int(count)] {
                    // A watch that was cancelled since is not there any more: its number is nobody else's.
                    state.withLock { $0.handlers[number] }?()
                }
            }
        }
    }
}
