import Glibc
import PluginWire

/// A plugin's executable run by a test in the host's place: messages of the protocol in and out, every wait with an
/// end.
public final class PluginProcess: Sendable {
    /// A line that is no message of the protocol.
    public struct NotUnderstood: Error, CustomStringConvertible {
        /// The line.
        public var line: String
        /// What is wrong with it.
        public var error: WireError

        public var description: String { "\(error) in \(line)" }
    }

    /// The process itself.
    public let process: LineProcess

    /// Starts an executable.
    /// - Parameters:
    ///   - path: The executable.
    ///   - arguments: Its arguments, the first being the first after its name.
    ///   - environment: Its whole environment, as `NAME=value`.
    /// - Throws: ``LineProcess/Failure``.
    public init(_ path: String, arguments: [String] = [], environment: [String] = ["PATH=/usr/bin:/bin"]) throws {
        process = try LineProcess(path, arguments: arguments, environment: environment)
    }

    /// The path of an executable of this package, beside the test's own.
    public static func product(_ name: String) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let path = String(decoding: buffer[..<max(count, 0)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path[..<(path.lastIndex(of: "/") ?? path.startIndex)] + "/" + name
    }

    /// Hands the plugin a message.
    /// - Throws: ``LineProcess/Failure`` when the pipe does not take it in time.
    public func send(_ message: HostMessage, within limit: Duration = testDeadline) async throws {
        try await process.send(line: message.line, within: limit)
    }

    /// Hands the plugin any line; its LF is added.
    /// - Throws: ``LineProcess/Failure`` when the pipe does not take it in time.
    public func send(line: [UInt8], within limit: Duration = testDeadline) async throws {
        try await process.send(line: line, within: limit)
    }

    /// Takes the next message, whatever it is.
    /// - Throws: ``LineProcess/Failure``, ``NotUnderstood``.
    public func next(within limit: Duration = testDeadline) async throws -> PluginMessage {
        try await first("a message", within: limit) { $0 }
    }

    /// Takes the first message that `pick` makes something of; the others stay, in their order.
    /// - Parameter what: What is waited for, for the failure.
    /// - Throws: ``LineProcess/Failure``, ``NotUnderstood``, and what `pick` throws.
    public func first<Picked>(
        _ what: String, within limit: Duration = testDeadline, _ pick: (PluginMessage) throws -> Picked?
    ) async throws -> Picked {
        try await process.first(what, within: limit) { try pick(Self.message($0)) }
    }

    /// The messages that came and were not taken; it does not wait.
    /// - Throws: ``NotUnderstood``.
    public func unread() throws -> [PluginMessage] {
        try process.unread.map { try Self.message($0) }
    }

    /// Waits for the process' end.
    /// - Throws: ``LineProcess/Failure``.
    public func end(within limit: Duration = testDeadline) async throws -> LineProcess.End {
        try await process.end(within: limit)
    }

    /// Closes the plugin's standard input, as a host that is gone.
    public func closeInput() { process.closeInput() }

    /// Sends a signal to the process; none once its end was seen.
    public func kill(_ signal: Int32 = SIGKILL) { process.kill(signal) }

    /// What the plugin wrote to standard error, its first 64 KiB.
    public var standardError: String { process.standardError }

    private static func message(_ line: [UInt8]) throws -> PluginMessage {
        do throws(WireError) {
            return try PluginMessage(line: line)
        } catch {
            throw NotUnderstood(line: String(decoding: line, as: UTF8.self), error: error)
        }
    }
}
