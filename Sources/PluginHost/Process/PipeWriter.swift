import DequeModule
import Dispatch
import Glibc
import Synchronization
import SystemPackage

/// Lines on their way to the plugin, in chunks, never more than the protocol's 1 MiB (plus the line that crosses it).
///
/// What the pipe has room for is written at once on the caller's thread; the rest goes when the plugin has read.
final class PipeWriter: Sendable {
    /// Bytes that may wait for the pipe.
    static let limit = 1 << 20
    /// Bytes that may wait before the plugin is not listened to either: what it says asks for lines that come on top,
    /// and a plugin that reads only between two writes must not be waited for before it has written.
    static let overfull = 8 << 20
    /// Bytes a write.
    static let chunk = 64 << 10

    /// Tells of what happens to the pipe, on any thread.
    struct Events: Sendable {
        /// Half of the room is free again, after there was none.
        var onRoom: @Sendable () -> Void
        /// The plugin takes no more.
        var onBroken: @Sendable () -> Void
    }

    private enum Phase {
        /// There is no pipe yet.
        case waiting
        case idle
        /// One thread writes.
        case writing
        /// The pipe is full.
        case full
        case over
    }

    private struct State {
        var phase = Phase.waiting
        var chunks: Deque<[UInt8]> = []
        /// Bytes of the first chunk that are written.
        var written = 0
        var bytes = 0
        /// Bytes that the pipe has taken so far.
        var taken = 0
        var wantsRoom = false
        /// Nothing more comes; what there is is written.
        var isClosed = false
        /// What there is is not to be written any more.
        var isCut = false
        var descriptor = FileDescriptor(rawValue: -1)
        var events: Events?
        /// Made when the pipe is full for the first time.
        var watch: Poller.Watch?
    }

    private let state = Mutex(State())
    private let poller: Poller
    private let trace: SessionTrace?

    /// - Parameters:
    ///   - poller: Who looks at the pipe while it is full.
    ///   - trace: Gets what is put.
    init(_ poller: Poller = .next(), trace: SessionTrace? = nil) {
        self.poller = poller
        self.trace = trace
    }

    /// Writes to a pipe from now on, and closes it in the end.
    func begin(_ descriptor: FileDescriptor, _ events: Events) {
        _ = fcntl(descriptor.rawValue, F_SETFL, fcntl(descriptor.rawValue, F_GETFL) | O_NONBLOCK)
        state.withLock {
            $0.descriptor = descriptor
            $0.events = events
            $0.phase = .idle
        }
        write()
    }

    /// Bytes that still fit. When none are left, `onRoom` tells when half of it is free.
    func room() -> Int {
        state.withLock {
            let room = Self.limit - $0.bytes
            if room <= 0 { $0.wantsRoom = true }
            return room
        }
    }

    /// Whether so much waits that nothing more may come about. Then `onRoom` tells when there is room.
    var isOverfull: Bool {
        state.withLock {
            if $0.bytes > Self.overfull { $0.wantsRoom = true }
            return $0.bytes > Self.overfull
        }
    }

    /// Bytes that the pipe has taken so far.
    var taken: Int { state.withLock { $0.taken } }

    func put(_ chunk: [UInt8]) {
        if chunk.isEmpty { return }
        if let trace, trace.isActive, state.withLock({ !$0.isClosed && $0.phase != .over }) { trace.wrote(chunk) }
        let isIdle = state.withLock {
            guard !$0.isClosed, $0.phase != .over else { return false }
            $0.chunks.append(chunk)
            $0.bytes += chunk.count
            return $0.phase == .idle
        }
        if isIdle { write() }
    }

    /// Closes the pipe once all was written.
    func close() {
        state.withLock { $0.isClosed = true }
        write()
    }

    /// Closes the pipe, written or not.
    func cut() {
        state.withLock {
            $0.isClosed = true
            $0.isCut = true
            if $0.phase == .full { Self.end(&$0) }
        }
        write()
    }

    // MARK: Writing

    /// What a write came to.
    private enum Result {
        case wrote(Int)
        case full
        case broken
    }

    /// Takes the writing, if nobody has it, and writes as long as the pipe takes it.
    private func write() {
        var next = state.withLock { state -> (chunk: [UInt8], from: Int, to: FileDescriptor)? in
            guard state.phase == .idle else { return nil }
            return self.next(&state)
        }
        while let (chunk, from, descriptor) = next {
            let result = Self.write(chunk, from, descriptor)
            let (more, tell) = state.withLock { take(result, &$0) }
            tell?()
            next = more
        }
    }

    private func next(_ state: inout State) -> (chunk: [UInt8], from: Int, to: FileDescriptor)? {
        guard !state.isCut, let chunk = state.chunks.first else {
            state.phase = .idle
            if state.isClosed { Self.end(&state) }
            return nil
        }
        state.phase = .writing
        return (chunk, state.written, state.descriptor)
    }

    private func take(
        _ result: Result, _ state: inout State
    ) -> (next: (chunk: [UInt8], from: Int, to: FileDescriptor)?, tell: (@Sendable () -> Void)?) {
        switch result {
        case .wrote(let count):
            state.bytes -= count
            state.taken += count
            state.written += count
            if state.written == state.chunks.first?.count {
                state.chunks.removeFirst()
                state.written = 0
            }
            let tells = state.wantsRoom && state.bytes <= Self.limit / 2
            if tells { state.wantsRoom = false }
            return (next(&state), tells ? state.events?.onRoom : nil)
        case .full:
            if state.isCut {
                Self.end(&state)
                return (nil, nil)
            }
            state.phase = .full
            guard (try? waitForRoom(&state)) == nil else { return (nil, nil) }
            return take(.broken, &state)
        case .broken:
            let tell = state.events?.onBroken
            Self.end(&state)
            return (nil, tell)
        }
    }

    private static func write(_ chunk: [UInt8], _ from: Int, _ descriptor: FileDescriptor) -> Result {
        chunk.withUnsafeBytes { bytes in
            while true {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[from...])
                let count = Glibc.write(descriptor.rawValue, rest.baseAddress, rest.count)
                if count >= 0 { return .wrote(count) }
                switch errno {
                case EINTR: continue
                case EAGAIN: return .full
                default: return .broken
                }
            }
        }
    }

    private func waitForRoom(_ state: inout State) throws(Errno) {
        if let watch = state.watch { return watch.arm() }
        state.watch = try poller.watch(state.descriptor, for: .writing) { [self] in
            DispatchQueue.global().async { self.goOn() }
        }
    }

    /// Writes on, as the pipe has room again or nobody reads it any more.
    private func goOn() {
        state.withLock { if $0.phase == .full { $0.phase = .idle } }
        write()
    }

    /// Lets go of everything. Nobody writes at this moment.
    private static func end(_ state: inout State) {
        guard state.phase != .over, state.phase != .waiting else { return }
        state.watch?.cancel()
        try? state.descriptor.close()
        state.phase = .over
        state.watch = nil
        state.chunks = []
        state.bytes = 0
        state.events = nil
    }
}
