import CrowbarTesting
import Glibc
import PluginWire
import Synchronization

@testable import IRCBridge

/// A person on IRC: a plain socket, every wait with an end.
final class IRCClient: Sendable {
    private struct State {
        var splitter = LineSplitter()
        var lines: [IRCMessage] = []
        /// What the socket has not taken yet.
        var out: [UInt8] = []
        var isClosed = false
    }

    private let fd: Int32
    private let state = Mutex(State())

    init(_ port: Int, nick: String, join channel: String? = nil, password: String? = nil) async throws {
        guard let fd = LoopbackPort.connect(port) else { throw TestIOError(description: "no server on \(port)") }
        _ = fcntl(fd, F_SETFL, O_NONBLOCK)
        self.fd = fd
        if let password { send("PASS \(password)") }
        send("NICK \(nick)")
        send("USER \(nick.filter { $0.isLetter }) 0 * :\(nick)")
        _ = try await first("welcome") { $0.verb == "001" }
        if let channel {
            send("JOIN \(channel)")
            _ = try await first("the channel's names") { $0.verb == "366" }
        }
    }

    deinit { close(fd) }

    /// Waits until somebody on another server can be seen: the servers are linked.
    static func linked(to port: Int, nick: String, seenBy other: IRCClient) async throws -> IRCClient {
        let probe = try await IRCClient(port, nick: nick)
        let deadline = ContinuousClock.now + testDeadline
        while true {
            other.send("ISON \(nick)")
            let answer = try await other.first("who is there") { $0.verb == "303" }
            if answer.params.last?.contains(nick) == true { return probe }
            guard ContinuousClock.now < deadline else { throw TestIOError(description: "the servers do not link") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Sends a line; what the socket does not take goes out while something is waited for.
    func send(_ line: String) {
        state.withLock { state in
            state.out += Array((line + "\r\n").utf8)
            flush(&state)
        }
    }

    private func flush(_ state: inout State) {
        guard !state.out.isEmpty else { return }
        let count = Glibc.write(fd, state.out, state.out.count)
        if count > 0 { state.out.removeFirst(count) }
    }

    /// The texts of all messages that are there; it does not wait. Other lines are dropped.
    func textsSoFar() -> [String] {
        state.withLock { state in
            pump(&state)
            defer { state.lines = [] }
            return state.lines.filter { $0.verb == "PRIVMSG" }.map { $0.params.last ?? "" }
        }
    }

    /// Takes the first line that fits; those before it are dropped.
    func first(
        _ what: String, within limit: Duration = testDeadline, _ fits: (IRCMessage) -> Bool
    ) async throws -> IRCMessage {
        let deadline = ContinuousClock.now + limit
        while true {
            let found: IRCMessage? = state.withLock { state in
                pump(&state)
                guard let index = state.lines.firstIndex(where: fits) else { return nil }
                let found = state.lines[index]
                state.lines.removeSubrange(...index)
                return found
            }
            if let found { return found }
            guard ContinuousClock.now < deadline else {
                throw TestIOError(description: "\(what) did not come; unread: \(state.withLock { $0.lines })")
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// The texts of all messages that come before the server closes the connection.
    func rest(within limit: Duration = testDeadline) async throws -> [String] {
        let deadline = ContinuousClock.now + limit
        while true {
            let texts: [String]? = state.withLock { state in
                pump(&state)
                return state.isClosed ? state.lines.filter { $0.verb == "PRIVMSG" }.map { $0.params.last ?? "" } : nil
            }
            if let texts { return texts }
            guard ContinuousClock.now < deadline else { throw TestIOError(description: "the server does not close") }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// The text of the next message to a channel.
    func nextText(within limit: Duration = testDeadline) async throws -> String {
        let message = try await first("a message", within: limit) { ["PRIVMSG", "NOTICE"].contains($0.verb) }
        return message.params.last ?? ""
    }

    private func pump(_ state: inout State) {
        flush(&state)
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(fd, $0.baseAddress, $0.count) }
            if count == 0 || (count < 0 && errno == ECONNRESET) { state.isClosed = true }
            guard count > 0 else { return }
            var lines: [IRCMessage] = []
            buffer.withUnsafeBytes { bytes in
                state.splitter.feed(UnsafeRawBufferPointer(rebasing: bytes[..<count])) { piece in
                    guard case .line(let line) = piece else { return }
                    var bytes = Array(line)
                    if bytes.last == 0x0D { bytes.removeLast() }
                    if let message = IRCMessage(line: bytes) { lines.append(message) }
                }
            }
            for line in lines where line.verb == "PING" {
                state.out += Array("PONG :\(line.params.last ?? "")\r\n".utf8)
                flush(&state)
            }
            state.lines += lines
        }
    }
}
