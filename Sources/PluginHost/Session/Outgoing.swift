import DequeModule
import Synchronization

/// Lines on their way to the plugin, in chunks, never more than the protocol's 1 MiB (plus the line that crosses it).
final class Outgoing: Sendable {
    /// Bytes that may wait for the pipe.
    static let limit = 1 << 20
    /// Bytes a write.
    static let chunk = 64 << 10

    private struct State {
        var chunks: Deque<[UInt8]> = []
        var bytes = 0
        var wantsRoom = false
        var isClosed = false
    }

    private let state = Mutex(State())
    private let bell: AsyncStream<Void>
    private let ring: AsyncStream<Void>.Continuation

    init() {
        (bell, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Bytes that still fit. When none are left, `onRoom` of ``run(write:onRoom:)`` tells when half of it is free.
    func room() -> Int {
        state.withLock {
            let room = Self.limit - $0.bytes
            if room <= 0 { $0.wantsRoom = true }
            return room
        }
    }

    func put(_ chunk: [UInt8]) {
        if chunk.isEmpty { return }
        state.withLock {
            guard !$0.isClosed else { return }
            $0.chunks.append(chunk)
            $0.bytes += chunk.count
        }
        ring.yield()
    }

    /// Ends ``run(write:onRoom:)`` once all was written.
    func close() {
        state.withLock { $0.isClosed = true }
        ring.finish()
    }

    /// Writes chunks until closed or the plugin takes no more.
    func run(write: ([UInt8]) async throws -> Void, onRoom: () -> Void) async throws {
        for await _ in bell { try await drain(write, onRoom) }
        try await drain(write, onRoom)
    }

    private func drain(_ write: ([UInt8]) async throws -> Void, _ onRoom: () -> Void) async throws {
        while let chunk = state.withLock({ $0.chunks.popFirst() }) {
            try await write(chunk)
            let tell = state.withLock {
                $0.bytes -= chunk.count
                guard $0.wantsRoom, $0.bytes <= Self.limit / 2 else { return false }
                $0.wantsRoom = false
                return true
            }
            if tell { onRoom() }
        }
    }
}
