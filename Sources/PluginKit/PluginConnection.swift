import Glibc
import JSONBytes
import PluginWire
import Synchronization

/// A plugin's end of the protocol: what the host says as an asynchronous sequence, and a way to answer from any thread.
///
/// Lines are read by a thread of their own, so that a plugin that is busy still takes what the pipe holds up to its
/// windows; answers are queued and written in the order of the calls by a second thread, in batches, so that no caller
/// ever waits for the host to read.
public final class PluginConnection: Sendable {
    /// What the host says, in order. Ends when the host closes the pipe; iterate it once.
    public let messages: AsyncStream<HostMessage>
    private let continuation: AsyncStream<HostMessage>.Continuation
    private let outbox: Outbox

    /// Takes over two descriptors and starts reading.
    /// - Parameters:
    ///   - input: Where the host's lines come from; standard input if left out.
    ///   - output: Where answers go; standard output if left out.
    public init(input: Int32 = 0, output: Int32 = 1) {
        signal(SIGPIPE, SIG_IGN)
        (messages, continuation) = AsyncStream.makeStream(of: HostMessage.self, bufferingPolicy: .unbounded)
        outbox = Outbox(descriptor: output)
        let (continuation, outbox) = (continuation, outbox)
        startThread { Self.read(input, continuation, outbox) }
        startThread { outbox.run() }
    }

    /// Queues a message; messages are written in the order of the calls.
    public func send(_ message: PluginMessage) {
        outbox.put(message.line)
    }

    /// Waits until all that was queued has been handed to the pipe, or the host is gone. For the last words before the
    /// process exits.
    public func flush() {
        outbox.flush()
    }

    // The stream is unbounded, but what the host may send is not: windows, and 1 MiB of lines.
    private static func read(
        _ input: Int32, _ continuation: AsyncStream<HostMessage>.Continuation, _ outbox: Outbox
    ) {
        var splitter = LineSplitter()
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = buffer.withUnsafeMutableBytes { Glibc.read(input, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            buffer.withUnsafeBytes { bytes in
                splitter.feed(UnsafeRawBufferPointer(rebasing: bytes[..<count])) { piece in
                    guard case .line(let line) = piece, line.count > 0 else { return }
                    do throws(WireError) {
                        continuation.yield(try HostMessage(line: Array(line)))
                    } catch {
                        let text = "a line of the host was not understood: \(error)"
                        outbox.put(PluginMessage.log(level: "error", message: text, fields: nil).line)
                    }
                }
            }
        }
        continuation.finish()
    }
}

/// Lines that wait for the pipe, and the thread that writes them.
final class Outbox: Sendable {
    private struct Pending {
        var bytes: [UInt8] = []
        var isWriting = false
        var isBroken = false
    }

    private let descriptor: Int32
    private let pending = Mutex(Pending())
    private let filled = Signal()
    private let emptied = Signal()

    init(descriptor: Int32) { self.descriptor = descriptor }

    func put(_ line: [UInt8]) {
        pending.withLock {
            guard !$0.isBroken else { return }
            $0.bytes.append(contentsOf: line)
            $0.bytes.append(0x0A)
        }
        filled.notify()
    }

    func flush() {
        emptied.wait { pending.withLock { $0.isBroken || ($0.bytes.isEmpty && !$0.isWriting) } }
    }

    func run() {
        while true {
            filled.wait { pending.withLock { !$0.bytes.isEmpty } }
            let batch = pending.withLock {
                let batch = $0.bytes
                $0.bytes = []
                $0.isWriting = true
                return batch
            }
            let written = write(batch)
            pending.withLock {
                $0.isWriting = false
                if !written {
                    $0.isBroken = true
                    $0.bytes = []
                }
            }
            emptied.notify()
            if !written { return }
        }
    }

    private func write(_ batch: [UInt8]) -> Bool {
        batch.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = Glibc.write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                done += count
            }
            return true
        }
    }
}
