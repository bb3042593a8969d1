import HTTPTypes
import HummingbirdCore
import NIOCore

/// Runs a connection's task on the connection's event loop, so that a request reaches its task, and the answer its
/// connection, without a change of threads.
final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Which requests are answered on the event loop. Meanwhile all other connections of that loop wait, so only requests
/// that neither block nor compute for long are.
enum EventLoopWork {
    /// The longest body that is parsed and hashed there, in bytes.
    static let maxBody = 16 << 10

    /// Whether a request is answered there: a short command, and `/healthz`. Commands wait for the log, and for plugins
    /// that check them, without blocking. All other requests read databases or make long answers.
    static func includes(_ head: HTTPRequest) -> Bool {
        switch head.path {
        case "/api/commands":
            head.headerFields[.contentLength].flatMap { Int($0) }.map { $0 <= maxBody } ?? false
                && !CommandsRoute.isLines(head.headerFields[.contentType])
        case "/healthz": true
        default: false
        }
    }

    /// Runs work on the shared threads of the runtime, where it may block.
    static func leave<Result: Sendable>(
        _ body: () async throws -> Result
    ) async rethrows -> Result {
        try await withTaskExecutorPreference(globalConcurrentExecutor, operation: body)
    }
}

extension ResponseBody {
    /// The body, written on the shared threads of the runtime if it is produced while it is written.
    func offEventLoop() -> ResponseBody {
        // A body of known length is in memory already.
        if contentLength != nil { return self }
        return ResponseBody { writer in
            try await EventLoopWork.leave { try await write(writer) }
        }
    }
}
