import CrowbarCore
import CrowbarHTTP
import Glibc
import Logging
import PluginHost
import ServiceLifecycle
import Synchronization

/// Runs replays that admins start through the API, each as a process of its own: `crowbar replay --report`. They stop
/// when the server stops.
final class ReplayService: Service {
    private struct State {
        var board = ReplayBoard()
        var children: [String: ServerChild] = [:]
        var isStopping = false
    }

    private let state = Mutex(State())
    private let started: AsyncStream<String>
    private let starts: AsyncStream<String>.Continuation
    /// `--config FILE`, if the server has a file.
    private let options: [String]
    private let newID: @Sendable () -> String
    private let logger: Logger

    init(configurationFile: String, newID: @escaping @Sendable () -> String, logger: Logger) {
        options = access(configurationFile, F_OK) == 0 ? ["--config=\(configurationFile)"] : []
        self.newID = newID
        self.logger = logger
        (started, starts) = AsyncStream.makeStream()
    }

    /// Follows the processes until a graceful shutdown and their ends.
    func run() async throws {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await id in started { group.addTask { await self.follow(id) } }
            }
        } onGracefulShutdown: { [self] in
            let children = state.withLock { state in
                state.isStopping = true
                return Array(state.children.values)
            }
            for child in children { child.cancel() }
            starts.finish()
        }
    }

    /// All replays as JSON.
    var list: [UInt8] { state.withLock { $0.board.json } }

    /// Starts a replay.
    /// - Returns: It as JSON.
    /// - Throws: `CommandError` if it may not start or its process cannot be started.
    func start(_ request: ConsoleActions.ReplayRequest) throws(CommandError) -> [UInt8] {
        let id = newID()
        let json = try state.withLock { state throws(CommandError) -> [UInt8] in
            if state.isStopping { throw CommandError(.unavailable, "the server is shutting down") }
            let arguments = try state.board.start(request, id: id, now: Clock.milliseconds())
            do {
                // The options of a verb stand after it.
                state.children[id] = try ServerChild(arguments: arguments.prefix(1) + options + arguments.dropFirst())
            } catch {
                state.board.end(id, status: nil, now: Clock.milliseconds())
                throw CommandError(.unavailable, "the replay's process cannot be started: \(error)")
            }
            return state.board.json(of: id)
        }
        logger.notice("replay of '\(request.plugin)' started", metadata: ["id": "\(id)"])
        starts.yield(id)
        return json
    }

    /// Cancels a replay; of one that ended nothing changes.
    /// - Returns: It as JSON.
    /// - Throws: `CommandError` if there is none of that id.
    func cancel(_ id: String) throws(CommandError) -> [UInt8] {
        let (child, json) = try state.withLock { state throws(CommandError) in
            let isRunning = try state.board.cancel(id)
            return (isRunning ? state.children[id] : nil, state.board.json(of: id))
        }
        child?.cancel()
        return json
    }

    private func follow(_ id: String) async {
        guard let child = state.withLock({ $0.children[id] }) else { return }
        let status = await child.run { [self] line in state.withLock { $0.board.note(id, line: line) } }
        state.withLock { state in
            state.children[id] = nil
            state.board.end(id, status: status, now: Clock.milliseconds())
        }
        logger.notice(
            "replay ended", metadata: ["id": "\(id)", "status": "\(status.map(String.init) ?? "ended by a signal")"])
    }
}
