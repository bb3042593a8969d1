import Glibc
import Synchronization
import SystemPackage
import Testing

@testable import PluginHost

/// What is on its way to a plugin, with real pipes.
struct PipeWriterTests {
    private final class Told: Sendable {
        private let counts = Mutex((room: 0, broken: 0))
        var room: Int { counts.withLock { $0.room } }
        var broken: Int { counts.withLock { $0.broken } }
        var events: PipeWriter.Events {
            .init(
                onRoom: { [self] in counts.withLock { $0.room += 1 } },
                onBroken: { [self] in counts.withLock { $0.broken += 1 } })
        }
    }

    private static let ignoreBrokenPipes: Void = { signal(SIGPIPE, SIG_IGN) }()

    private func read(_ end: FileDescriptor, _ count: Int) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = try end.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    private func readAll(_ end: FileDescriptor) throws -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let piece = try read(end, 1 << 16)
            if piece.isEmpty { return all }
            all += piece
        }
    }

    @Test func whatThereIsRoomForIsWrittenAtOnce() throws {
        let (end, writer) = try FileDescriptor.pipe()
        let outgoing = PipeWriter()
        outgoing.put([1, 2])
        outgoing.begin(writer, Told().events)
        outgoing.put([3])
        #expect(try read(end, 10) == [1, 2, 3])
        outgoing.put([4])
        outgoing.close()
        outgoing.put([5])
        #expect(try readAll(end) == [4])
        try end.close()
    }

    @Test func moreThanThePipeHoldsComesInOrderAsItIsRead() async throws {
        let (end, writer) = try FileDescriptor.pipe()
        let (outgoing, told) = (PipeWriter(), Told())
        outgoing.begin(writer, told.events)
        var expected: [UInt8] = []
        while outgoing.room() > 0 {
            let chunk = [UInt8](repeating: UInt8(truncatingIfNeeded: expected.count / 4_099), count: 4_099)
            outgoing.put(chunk)
            expected += chunk
        }
        #expect(expected.count >= PipeWriter.limit && told.room == 0)
        var got: [UInt8] = []
        while got.count < expected.count { got += try read(end, 10_007) }
        #expect(got == expected)
        try await wait("room") { told.room == 1 && outgoing.room() == PipeWriter.limit }
        outgoing.put([9])
        outgoing.close()
        #expect(try readAll(end) == [9])
        #expect(told.room == 1 && told.broken == 0)
        try end.close()
    }

    @Test func farMoreThanThereIsRoomForIsTooMuchUntilThereIsRoomAgain() async throws {
        let (end, writer) = try FileDescriptor.pipe()
        let (outgoing, told) = (PipeWriter(), Told())
        outgoing.begin(writer, told.events)
        var put = 0
        while !outgoing.isOverfull {
            #expect(put - outgoing.taken <= PipeWriter.overfull)
            outgoing.put([UInt8](repeating: 7, count: 100_000))
            put += 100_000
        }
        #expect(told.room == 0 && outgoing.taken < put - PipeWriter.overfull)
        var got = 0
        while got < put { got += try read(end, 1 << 16).count }
        try await wait("room") { told.room == 1 && outgoing.taken == put }
        #expect(!outgoing.isOverfull)
        outgoing.close()
        try end.close()
    }

    @Test func aReaderThatGoesIsToldOnceAndWhatIsLeftIsDropped() throws {
        _ = Self.ignoreBrokenPipes
        let (end, writer) = try FileDescriptor.pipe()
        let (outgoing, told) = (PipeWriter(), Told())
        outgoing.begin(writer, told.events)
        try end.close()
        outgoing.put([1])
        #expect(told.broken == 1)
        outgoing.put([2])
        #expect(outgoing.room() == PipeWriter.limit)
        outgoing.cut()
        #expect(told.broken == 1)
    }

    @Test func aReaderThatGoesWhileThePipeIsFullIsTold() async throws {
        _ = Self.ignoreBrokenPipes
        let (end, writer) = try FileDescriptor.pipe()
        let (outgoing, told) = (PipeWriter(), Told())
        outgoing.begin(writer, told.events)
        outgoing.put([UInt8](repeating: 7, count: 300_000))
        #expect(told.broken == 0 && outgoing.room() < PipeWriter.limit)
        try end.close()
        try await wait("the end") { told.broken == 1 }
        #expect(outgoing.room() == PipeWriter.limit)
    }

    @Test func aCutClosesThePipeThoughNobodyReads() async throws {
        let (end, writer) = try FileDescriptor.pipe()
        let outgoing = PipeWriter()
        outgoing.begin(writer, Told().events)
        outgoing.put([UInt8](repeating: 7, count: 300_000))
        outgoing.cut()
        // What had room is there, and then the end: the writing end is closed.
        let left = try readAll(end)
        #expect(!left.isEmpty && left.count < 300_000)
        try end.close()
    }
}
