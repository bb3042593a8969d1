import Glibc
import JSONBytes
import PluginWire
import Synchronization

/// A plugin's end of the protocol: what the host says, and a way to answer from any thread.
///
/// Answers are queued and written in the order of the calls by a thread of their own, in batches, so that no caller
/// ever waits for the host to read.
public final class PluginConnection: Sendable {
    private let outbox: Outbox

    /// Takes over a descriptor.
    /// - Parameter output: Where answers go; standard output if left out.
    public init(output: Int32 = 1) {
        signal(SIGPIPE, SIG_IGN)
        outbox = Outbox(descriptor: output)
        startThread { [outbox] in outbox.run() }
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
}

/// What the host says, in order, in the batches in which it comes; ends when the host closes the pipe.
///
/// It is read on the thread that iterates, which should be the main thread and hand on what takes time: a waiting
/// thread between the pipe and the work would be one more to be woken for each message.
public struct HostMessages: Sequence, IteratorProtocol {
    /// Cuts the bytes into messages; for a caller that reads the pipe itself from then on.
    public private(set) var lines = HostLines()
    private let input: Int32
    private let onProblem: (PluginMessage) -> Void
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    /// Takes over a descriptor.
    /// - Parameters:
    ///   - input: Where the host's lines come from; standard input if left out.
    ///   - onProblem: Is given what the host is to be told of a line that was not understood.
    public init(input: Int32 = 0, onProblem: @escaping (PluginMessage) -> Void) {
        self.input = input
        self.onProblem = onProblem
    }

    /// Takes over standard input.
    public init(_ connection: PluginConnection) { self.init(onProblem: connection.send) }

    /// Waits for the host, and returns all that has come by then.
    public mutating func next() -> [HostMessage]? {
        var messages: [HostMessage] = []
        while messages.isEmpty {
            let count = buffer.withUnsafeMutableBytes { Glibc.read(input, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return nil }
            messages = buffer.withUnsafeBytes { bytes in
                lines.feed(UnsafeRawBufferPointer(rebasing: bytes[..<count]), onProblem)
            }
        }
        return messages
    }
}

/// Makes messages of the host's bytes, in whatever pieces they come.
public struct HostLines: Sendable {
    private var splitter = LineSplitter()

    /// At the beginning of a line.
    public init() {}

    /// The messages that end in these bytes.
    /// - Parameter onProblem: Is given what the host is to be told of a line that was not understood.
    public mutating func feed(
        _ bytes: UnsafeRawBufferPointer, _ onProblem: (PluginMessage) -> Void
    ) -> [HostMessage] {
        var messages: [HostMessage] = []
        splitter.feed(bytes) { piece in
            guard case .line(let line) = piece, line.count > 0 else { return }
            do throws(WireError) {
                messages.append(try HostMessage(line: Array(line)))
            } catch {
                let text = "a line of the host was not understood: \(error)"
                onProblem(.log(level: "error", message: text, fields: nil))
            }
        }
        return messages
    }
}

extension PluginMessage {
    /// Writes the message, waiting for the host to read: for a plugin's first words, and for its last ones.
    /// - Parameter output: Where to; standard output if left out.
    public func write(to output: Int32 = 1) { _ = Outbox.write(line + [0x0A], to: output) }
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
            let written = Self.write(batch, to: descriptor)
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

    /// Writes all of it; false where nobody reads any more.
    static func write(_ batch: [UInt8], to descriptor: Int32) -> Bool {
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
