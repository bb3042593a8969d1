import Glibc
import Synchronization
import SystemPackage
import Testing

@testable import PluginHost

/// The reading end of a pipe, with real pipes.
struct PipeReaderTests {
    /// What a reader handed on.
    private final class Heard: Sendable {
        private let state = Mutex((pieces: [[UInt8]](), ends: 0))
        var bytes: [UInt8] { state.withLock { Array($0.pieces.joined()) } }
        var pieces: Int { state.withLock { $0.pieces.count } }
        var ends: Int { state.withLock { $0.ends } }
        func add(_ piece: [UInt8]) { state.withLock { $0.pieces.append(piece) } }
        func end() { state.withLock { $0.ends += 1 } }
    }

    private func reader(_ end: FileDescriptor, paced: Bool, _ heard: Heard) -> PipeReader {
        PipeReader(end, isPaced: paced, take: heard.add, onEnd: heard.end)
    }

    /// The pipe that a descriptor stands for, while it does.
    private func pipe(_ end: FileDescriptor) -> UInt64? {
        var status = stat()
        return fstat(end.rawValue, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    @Test(arguments: [false, true]) func whatWasWrittenBeforeAHangUpIsRead(paced: Bool) async throws {
        // The system tells of the bytes and of the hang-up in one, or in two, as it happens.
        for round in 0..<200 {
            let (end, writer) = try FileDescriptor.pipe()
            let heard = Heard()
            let text = Array("ready \(round)\n".utf8)
            if round % 2 == 0 { try writer.writeAll(text) }
            let reader = reader(end, paced: paced, heard)
            if round % 2 == 1 { try writer.writeAll(text) }
            try writer.writeAll(text)
            try writer.close()
            reader.next()
            reader.next()
            try await wait("the end of round \(round)") {
                reader.next()
                return heard.ends > 0
            }
            #expect(heard.bytes == text + text)
            await reader.close()
            #expect(heard.ends == 1)
        }
    }

    @Test func aPacedReaderWaitsToBeAskedAndKeepsNothingBack() async throws {
        let (end, writer) = try FileDescriptor.pipe()
        let number = pipe(end)
        let heard = Heard()
        let reader = reader(end, paced: true, heard)
        try writer.writeAll([1])
        try await wait("the first piece") { heard.pieces == 1 }
        try writer.writeAll([2])
        try writer.writeAll([3])
        // The other end is asked how much is still in the pipe.
        var left: Int32 = 0
        #expect(ioctl(end.rawValue, UInt(FIONREAD), &left) == 0)
        #expect(left == 2)
        reader.next()
        try await wait("the rest") { heard.bytes == [1, 2, 3] }
        #expect(heard.pieces == 2)
        try writer.writeAll([4])
        await reader.close()
        #expect(heard.bytes == [1, 2, 3, 4])
        #expect(heard.ends == 0)
        try await wait("the descriptor") { pipe(end) != number }
        try writer.close()
    }

    @Test func aReaderThatWaitsForMoreIsClosed() async throws {
        let (end, writer) = try FileDescriptor.pipe()
        let number = pipe(end)
        let heard = Heard()
        let reader = reader(end, paced: false, heard)
        let block = [UInt8](repeating: 7, count: 1 << 20)
        try writer.writeAll(block)
        try await wait("a megabyte") { heard.bytes.count == block.count }
        await reader.close()
        try await wait("the descriptor") { pipe(end) != number }
        #expect(heard.ends == 0)
        try writer.close()
    }

    /// Where it is told of the hang-up, the reader closes its pipe while the one who tells goes on to the next.
    @Test(arguments: [false, true]) func manyPipesThatHangUpHurtNobody(areClosedMeanwhile: Bool) async throws {
        signal(SIGPIPE, SIG_IGN)
        for _ in 0..<150 {
            let all = (0..<16).map { _ in Heard() }
            try await withThrowingDiscardingTaskGroup { group in
                for heard in all {
                    let (output, input) = (try FileDescriptor.pipe(), try FileDescriptor.pipe())
                    let (writer, end) = (output.writeEnd, input.readEnd)
                    let outgoing = PipeWriter()
                    outgoing.begin(input.writeEnd, .init(onRoom: {}, onBroken: {}))
                    outgoing.put([UInt8](repeating: 7, count: 70_000))
                    let reader = reader(output.readEnd, paced: false, heard)
                    group.addTask {
                        try writer.close()
                        try end.close()
                        if !areClosedMeanwhile { try await wait("the end") { heard.ends == 1 } }
                    }
                    group.addTask {
                        if !areClosedMeanwhile { try await wait("the end") { heard.ends == 1 } }
                        outgoing.cut()
                        await reader.close()
                    }
                }
            }
            #expect(all.allSatisfy { $0.ends <= 1 && $0.bytes.isEmpty })
        }
    }
}
