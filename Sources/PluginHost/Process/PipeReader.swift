import Dispatch
import Glibc
import Synchronization
import SystemPackage

/// The reading end of a pipe: hands on what comes as it comes, a piece at a time.
///
/// It keeps no buffer and no task while nothing comes, so that hundreds of silent plugins cost a descriptor each and
/// little else.
final class PipeReader: Sendable {
    /// Bytes a piece at most: as much as a pipe holds.
    static let limit = 64 << 10

    private struct State {
        /// Nil once it is closed.
        var watch: Poller.Watch?
        /// The next piece may be read without being asked for.
        var isOpen = false
        var isWaiting = false
    }

    private let descriptor: FileDescriptor
    /// On the shared pool: a queue of its own would be given a thread of its own whenever the pool is busy.
    private let queue = DispatchQueue(label: "crowbar.pipe", target: .global())
    private let state = Mutex(State())
    /// Locked while reading.
    private let reading = Mutex(())
    private let isPaced: Bool
    private let take: @Sendable ([UInt8]) -> Void
    private let onEnd: @Sendable () -> Void

    /// - Parameters:
    ///   - descriptor: The pipe's reading end, which is closed in the end and by nobody else.
    ///   - poller: Who looks at the pipe.
    ///   - isPaced: Whether each piece after the first has to be asked for by ``next()``.
    ///   - isQuick: Whether `take` and `onEnd` return at once: they are called then on the thread that looks at all
    ///     pipes, which is one thread less to be woken on the way; otherwise on a queue of this reader's own.
    ///   - take: Is handed each piece, one at a time.
    ///   - onEnd: Is told once that nothing comes any more; not after ``close()``.
    init(
        _ descriptor: FileDescriptor, _ poller: Poller = .next(), isPaced: Bool, isQuick: Bool = false,
        take: @escaping @Sendable ([UInt8]) -> Void, onEnd: @escaping @Sendable () -> Void
    ) {
        self.descriptor = descriptor
        self.isPaced = isPaced
        self.take = take
        self.onEnd = onEnd
        _ = fcntl(descriptor.rawValue, F_SETFL, fcntl(descriptor.rawValue, F_GETFL) | O_NONBLOCK)
        state.withLock {
            do throws(Errno) {
                $0.watch = try poller.watch(descriptor, for: .reading) { [self] in
                    if isQuick { event() } else { queue.async { self.event() } }
                }
            } catch {
                // As if the program had closed its end: the session ends, and is tried again later.
                try? descriptor.close()
                queue.async { [self] in self.onEnd() }
            }
        }
    }

    /// Lets the next piece be read.
    func next() {
        state.withLock {
            guard $0.isWaiting else { return $0.isOpen = true }
            $0.isWaiting = false
            $0.watch?.arm()
        }
    }

    /// Reads what is in the pipe at this moment, without pace, and closes it. What comes meanwhile is left, so that
    /// a process at the other end cannot keep this from ending.
    func close() async {
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                reading.withLock { _ in
                    guard state.withLock({ $0.watch != nil }) else { return }
                    var rest = available
                    while rest > 0, case .piece(let count) = read() { rest -= count }
                    stop()
                }
                continuation.resume()
            }
        }
    }

    private func event() {
        let hasEnded = reading.withLock { _ in
            // It may have been closed since.
            guard state.withLock({ $0.watch != nil }) else { return false }
            switch read() {
            case .piece: pace()
            case .nothing: state.withLock { $0.watch?.arm() }
            case .end:
                stop()
                return true
            }
            return false
        }
        if hasEnded { onEnd() }
    }

    private enum Found {
        /// So many bytes.
        case piece(Int)
        case nothing
        /// Nothing will come any more.
        case end
    }

    /// Bytes in the pipe.
    private var available: Int {
        var count: Int32 = 0
        _ = ioctl(descriptor.rawValue, UInt(FIONREAD), &count)
        return Int(count)
    }

    private func read() -> Found {
        // No more room than needed, as it may be long until the piece is done with. Where nothing is there, the room is
        // for learning whether that is the end.
        let count = max(1, min(available, Self.limit))
        var problem: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            var got = -1
            repeat {
                got = Glibc.read(descriptor.rawValue, buffer.baseAddress, count)
            } while got < 0 && errno == EINTR
            if got < 0 { problem = errno }
            filled = max(0, got)
        }
        guard bytes.isEmpty else {
            take(bytes)
            return .piece(bytes.count)
        }
        return problem == EAGAIN ? .nothing : .end
    }

    private func pace() {
        state.withLock {
            if isPaced, !$0.isOpen { return $0.isWaiting = true }
            $0.isOpen = false
            $0.watch?.arm()
        }
    }

    private func stop() {
        state.withLock {
            $0.watch?.cancel()
            $0.watch = nil
        }
        try? descriptor.close()
    }
}
