import Glibc
import PluginWire
import Synchronization
import SystemPackage

/// A plugin's program, started as a server starts it, without a session: whoever starts it plays the host.
public final class PluginProgram: Sendable {
    /// Lines that wait to be taken at most; what comes beyond is dropped.
    private static let ahead = 100_000

    /// The `hello` that a host would say.
    public let hello: HostMessage.Hello
    /// What the program writes, line by line; it ends with the program's output.
    public let lines: AsyncStream<[UInt8]>

    private let process: PluginProcess
    private let outgoing: PipeWriter
    private let output: PipeReader
    private let errors: PipeReader

    /// Starts the program of a manifest.
    /// - Throws: ``TrialRefusal``.
    public init(_ manifest: Manifest, _ environment: HostEnvironment) async throws(TrialRefusal) {
        let session: PluginSession
        do {
            session = try await SessionFactory(name: manifest.name, environment: environment, lines: nil).make(
                manifest, purpose: .live(isHeld: false), status: SessionStatus(), mailbox: Mailbox())
        } catch {
            throw TrialRefusal(reason: error.reason)
        }
        do throws(Errno) {
            process = try PluginProcess.start(session.plan)
        } catch {
            throw TrialRefusal(reason: "cannot start '\(session.plan.launcher)': \(error)")
        }
        hello = HostMessage.Hello(
            plugin: manifest.name, phase: manifest.phase.rawValue, purpose: .live, session: session.plan.session,
            config: session.config, dataDir: session.plan.folder)
        let poller = Poller.next()
        outgoing = PipeWriter(poller)
        let (lines, post) = AsyncStream.makeStream(of: [UInt8].self, bufferingPolicy: .bufferingOldest(Self.ahead))
        self.lines = lines
        let splitter = Mutex(LineSplitter())
        output = PipeReader(
            process.output, poller, isPaced: false,
            take: { bytes in
                bytes.withUnsafeBytes { buffer in
                    splitter.withLock {
                        $0.feed(buffer) { if case .line(let line) = $0, !line.isEmpty { post.yield(Array(line)) } }
                    }
                }
            }, onEnd: { post.finish() })
        errors = PipeReader(process.errors, poller, isPaced: false, take: { _ in }, onEnd: {})
        outgoing.begin(process.input, .init(onRoom: {}, onBroken: {}))
    }

    /// Writes a line, without its LF, to the program.
    public func write(_ line: [UInt8]) { outgoing.put(line + [0x0A]) }

    /// Closes the program's input, ends the program where it does not end by itself, and waits for that.
    /// - Parameter milliseconds: How long it may take.
    public func end(within milliseconds: Int64) async {
        outgoing.close()
        let steps = max(1, milliseconds / 20)
        for _ in 0..<steps where !process.hasEnded { try? await Task.sleep(for: .milliseconds(20)) }
        process.killAll()
        _ = await process.reap()
        _ = process.takeReport()
        outgoing.cut()
        await output.close()
        await errors.close()
    }
}
