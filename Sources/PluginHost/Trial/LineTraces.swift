import PluginWire
import Synchronization

/// Passes the lines between the host and its plugins on to whoever follows a plugin, with secrets masked.
///
/// While nobody follows a plugin, a line costs one atomic load.
public final class LineTraces: Sendable {
    /// The way of a line.
    public enum Direction: String, Sendable, Equatable {
        /// From the host to the plugin.
        case toPlugin = "in"
        /// From the plugin to the host.
        case fromPlugin = "out"
    }

    /// Receives a line without its LF, in order, on any thread. It must return soon and must not call back.
    public typealias Sink = @Sendable (Direction, [UInt8]) -> Void

    private let traces = Mutex<[String: LineTrace]>([:])

    /// Makes one that nobody follows.
    public init() {}

    /// Follows a plugin until ``stop(_:of:)``, over all of its processes.
    /// - Returns: A number for ``stop(_:of:)``.
    public func follow(_ plugin: String, _ sink: @escaping Sink) -> Int { trace(of: plugin).add(sink) }

    /// Ends following a plugin.
    public func stop(_ follower: Int, of plugin: String) { trace(of: plugin).remove(follower) }

    func trace(of plugin: String) -> LineTrace {
        traces.withLock { traces in
            if let known = traces[plugin] { return known }
            let trace = LineTrace()
            traces[plugin] = trace
            return trace
        }
    }
}

/// Those who follow one plugin.
final class LineTrace: Sendable {
    private let isFollowed = Atomic(false)
    private let sinks = Mutex<(next: Int, all: [Int: LineTraces.Sink])>((0, [:]))

    var isActive: Bool { isFollowed.load(ordering: .relaxed) }

    func add(_ sink: @escaping LineTraces.Sink) -> Int {
        sinks.withLock { sinks in
            sinks.next += 1
            sinks.all[sinks.next] = sink
            isFollowed.store(true, ordering: .relaxed)
            return sinks.next
        }
    }

    func remove(_ follower: Int) {
        sinks.withLock { sinks in
            sinks.all[follower] = nil
            isFollowed.store(!sinks.all.isEmpty, ordering: .relaxed)
        }
    }

    fileprivate func pass(_ direction: LineTraces.Direction, _ line: [UInt8]) {
        // Under the lock, so that everybody gets the lines in one order.
        sinks.withLock { for sink in $0.all.values { sink(direction, line) } }
    }
}

/// The trace of one session, which knows the secrets to mask.
struct SessionTrace: Sendable {
    let trace: LineTrace
    let log: PluginLog

    var isActive: Bool { trace.isActive }

    /// Lines that go to the plugin, each with its LF.
    func wrote(_ chunk: [UInt8]) {
        for line in chunk.split(separator: 0x0A) { pass(.toPlugin, line) }
    }

    /// A line of the plugin's.
    func read(_ line: UnsafeRawBufferPointer) {
        if trace.isActive { pass(.fromPlugin, line) }
    }

    private func pass(_ direction: LineTraces.Direction, _ line: some Collection<UInt8>) {
        trace.pass(direction, log.mask(line: Array(line)))
    }
}
