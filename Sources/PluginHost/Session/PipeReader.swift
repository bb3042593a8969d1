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

    /// Unchecked since a dispatch source may be used from any thread; the library only does not say so by a protocol.
    private struct Source: @unchecked Sendable {
        let dispatch: any DispatchSourceRead
    }

    private struct State {
        /// Nil once it is closed, or until it is started.
        var source: Source?
        /// The next piece may be read without being asked for.
        var isOpen = false
        var isWaiting = false
    }

    private let descriptor: FileDescriptor
    /// On the shared pool: a queue of its own would be given a thread of its own whenever the pool is busy.
    private let queue = DispatchQueue(label: "crowbar.pipe", target: .global())
    private let state = Mutex(State())
    private let isPaced: Bool
    private let take: @Sendable ([UInt8]) -> Void
    private let onEnd: @Sendable () -> Void

    /// - Parameters:
    ///   - descriptor: The pipe's reading end, which is closed in the end and by nobody else.
    ///   - isPaced: Whether each piece after the first has to be asked for by ``next()``.
    ///   - take: Is handed each piece, on a queue of this reader's own.
    ///   - onEnd: Is told once that nothing comes any more; not after ``close()``.
    init(
        _ descriptor: FileDescriptor, isPaced: Bool, take: @escaping @Sendable ([UInt8]) -> Void,
        onEnd: @escaping @Sendable () -> Void
    ) {
        self.descriptor = descriptor
        self.isPaced = isPaced
        self.take = take
        self.onEnd = onEnd
        _ = fcntl(descriptor.rawValue, F_SETFL, fcntl(descriptor.rawValue, F_GETFL) | O_NONBLOCK)
        let source = Source(
            dispatch: DispatchSource.makeReadSource(fileDescriptor: descriptor.rawValue, queue: queue))
        source.dispatch.setEventHandler { [self] in event(Int(clamping: source.dispatch.data)) }
        source.dispatch.setCancelHandler { try? descriptor.close() }
        state.withLock { $0.source = source }
        source.dispatch.resume()
    }

    /// Lets the next piece be read.
    func next() {
        state.withLock {
            guard $0.isWaiting else { return $0.isOpen = true }
            $0.isWaiting = false
            $0.source?.dispatch.resume()
        }
    }

    /// Reads what is still in the pipe, without waiting for more and without pace, and closes it.
    func close() async {
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                if state.withLock({ $0.source != nil }) {
                    while read(upTo: Self.limit) == .piece {}
                    stop()
                }
                continuation.resume()
            }
        }
    }

    /// - Parameter available: Bytes that are there to be read; 0 when the other end is closed, which is said once and
    ///   leaves out what was written before.
    private func event(_ available: Int) {
        guard available == 0 else {
            if read(upTo: available) == .piece { pace() }
            return
        }
        var found = Found.piece
        while found == .piece { found = read(upTo: Self.limit) }
        if found == .end { end() }
    }

    private enum Found {
        case piece
        case nothing
        /// Nothing will come any more.
        case end
    }

    private func read(upTo count: Int) -> Found {
        let count = min(count, Self.limit)
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
            return .piece
        }
        return problem == EAGAIN ? .nothing : .end
    }

    private func pace() {
        guard isPaced else { return }
        state.withLock {
            if $0.isOpen { return $0.isOpen = false }
            $0.isWaiting = true
            $0.source?.dispatch.suspend()
        }
    }

    private func end() {
        stop()
        onEnd()
    }

    private func stop() {
        state.withLock {
            $0.source?.dispatch.cancel()
            // What is suspended is never released.
            if $0.isWaiting { $0.source?.dispatch.resume() }
            $0.isWaiting = false
            $0.source = nil
        }
    }
}
