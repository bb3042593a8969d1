import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// The connections that were accepted and that no task handles yet.
///
/// SwiftNIO ends the process where a channel's writer goes away and was never finished. A listener that ends drops what
/// it has accepted and not handed to a task, so these connections are kept here, and ended once the listener has.
final class AcceptedConnections: Sendable {
    private struct State {
        /// By channel.
        var waiting: [ObjectIdentifier: HTTP1Channel.Value] = [:]
        /// Connections that are being set up, on the threads of their channels.
        var settingUp = 0
        /// The listener has ended.
        var isClosed = false
        /// Told once nothing is being set up any more.
        var idle: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    init() {}

    /// Notes that a connection is about to be set up; false where it must not be any more.
    func begin() -> Bool {
        state.withLock { state in
            if !state.isClosed { state.settingUp += 1 }
            return !state.isClosed
        }
    }

    /// Keeps a connection that was set up; nil: it could not be.
    func set(up connection: HTTP1Channel.Value?) {
        let idle = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.settingUp -= 1
            if let connection { state.waiting[ObjectIdentifier(connection.channel)] = connection }
            guard state.settingUp == 0 else { return nil }
            defer { state.idle = nil }
            return state.idle
        }
        idle?.resume()
    }

    /// Lets a connection go that a task handles.
    func release(_ connection: HTTP1Channel.Value) {
        state.withLock { $0.waiting[ObjectIdentifier(connection.channel)] = nil }
    }

    /// Ends the connections that no task handles and never will, as the listener has ended. Once only.
    func end() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                state.isClosed = true
                if state.settingUp > 0 { state.idle = continuation }
                return state.settingUp == 0
            }
            if isIdle { continuation.resume() }
        }
        let rest = state.withLock { state in
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for connection in rest { try? await connection.executeThenClose { _, _ in } }
    }
}

/// What a listener does with a connection: HTTP/1.1, as the library does, with every connection accounted for.
struct AccountedChannel: ServerChildChannel {
    /// The listener ended while the connection was accepted.
    private struct ListenerEnded: Error {}

    let http: HTTP1Channel
    let accepted: AcceptedConnections

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        guard accepted.begin() else {
            // Nobody else would: what is dropped here is neither closed by the library nor by SwiftNIO.
            channel.close(promise: nil)
            return channel.eventLoop.makeFailedFuture(ListenerEnded())
        }
        let connection = http.setup(channel: channel, logger: logger).map { connection in
            Self.addPersistence(to: channel)
            return connection
        }
        connection.whenComplete { [accepted] result in
            accepted.set(up: try? result.get())
            if case .failure = result { channel.close(promise: nil) }
        }
        return connection
    }

    /// Adds what ends connections, between the parser and what hides a request's version from all that follows.
    private static func addPersistence(to channel: any Channel) {
        let pipeline = channel.pipeline.syncOperations
        do {
            let parser = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            try pipeline.addHandler(ConnectionPersistence(), position: .after(parser))
        } catch {
            // It has been closed meanwhile.
            channel.close(promise: nil)
        }
    }

    func handle(value connection: HTTP1Channel.Value, logger: Logger) async {
        // The task holds it from here on, and finishes its writer in any case.
        accepted.release(connection)
        await http.handle(value: connection, logger: logger)
    }
}
