import CrowbarCore
import CrowbarMetrics
import HTTPTypes
import HummingbirdCore
import JSONBytes
import NIOCore
import NIOHTTPTypes

/// Answers short commands on the connection's event loop: a request goes from there to the log and back, and wakes no
/// task (docs/decisions/0130-short-commands-have-no-task.md).
///
/// It answers only what ``CommandsRoute`` would store at once. Everything else, and each request that is refused before
/// it reaches the log, passes on as it came, so that the route alone decides what is said.
final class CommandShortcut: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// The longest body, in bytes. It is in memory anyway, and does not count as a body on its way.
    static let maxBody = 4_096

    private enum State {
        /// Requests pass on.
        case idle
        /// The head and what came of the body of a request that may be answered here.
        case collecting(HTTPRequest, ByteBuffer)
        /// A command is on its way into the log.
        case storing
    }

    /// Submits the command of a request; false: it has to pass on.
    typealias Submit = (
        _ head: HTTPRequest, _ body: [UInt8], _ done: @escaping @Sendable (Result<Receipt, CommandError>) -> Void
    ) -> Bool
    /// Gives the answer to a command.
    /// - Parameter start: When the request was submitted, by ``MonotonicClock``.
    typealias Answer = (Result<Receipt, CommandError>, _ start: UInt64) -> (head: HTTPResponse, body: ByteBuffer)

    private let submit: Submit
    private let answer: Answer
    private var state = State.idle
    /// Requests that passed on and are not answered to the end: answers keep the order of the requests.
    private var passed = 0
    /// What came while a command is stored, in order.
    private var held: [Held] = []
    private var isReadWanted = false
    /// The server shuts down: no further request is begun.
    private var isEnding = false

    private enum Held {
        case part(HTTPRequestPart)
        case event(Any)
        case error(any Error)
    }

    init(submit: @escaping Submit, answer: @escaping Answer) {
        self.submit = submit
        self.answer = answer
    }

    convenience init(_ commands: ShortCommands) {
        self.init(submit: commands.submit, answer: commands.answer(_:since:))
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if case .storing = state {
            if !isEnding { held.append(.part(part)) }
            return
        }
        receive(part, context)
    }

    private func receive(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        switch (state, part) {
        case (.idle, .head(let head)) where passed == 0 && ShortCommands.mayAnswer(head):
            state = .collecting(head, ByteBuffer())
        case (.collecting(let head, var body), .body(var bytes)):
            // Not copied: the state has another one meanwhile.
            state = .idle
            body.writeBuffer(&bytes)
            state = .collecting(head, body)
        case (.collecting(let head, let body), .end(let trailers)):
            if trailers == nil, submit(head, body, context) { return }
            passOn(head, body, context)
            pass(part, context)
        default: pass(part, context)
        }
    }

    /// Passes on what was collected.
    private func passOn(_ head: HTTPRequest, _ body: ByteBuffer, _ context: ChannelHandlerContext) {
        state = .idle
        pass(.head(head), context)
        if body.readableBytes > 0 { pass(.body(body), context) }
    }

    private func pass(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        if case .head = part { passed += 1 }
        context.fireChannelRead(wrapInboundOut(part))
    }

    /// - Returns: false if the request has to pass on.
    private func submit(_ head: HTTPRequest, _ body: ByteBuffer, _ context: ChannelHandlerContext) -> Bool {
        let start = MonotonicClock.nanoseconds()
        let (loop, handler) = (context.eventLoop, NIOLoopBound((self, context), eventLoop: context.eventLoop))
        let isSubmitted = submit(head, Array(body.readableBytesView)) { outcome in
            loop.execute {
                let (shortcut, context) = handler.value
                shortcut.write(outcome, since: start, context)
            }
        }
        if isSubmitted { state = .storing }
        return isSubmitted
    }

    // MARK: Answers

    private func write(
        _ outcome: Result<Receipt, CommandError>, since start: UInt64, _ context: ChannelHandlerContext
    ) {
        if context.channel.isActive {
            let (head, body) = answer(outcome, start)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(body)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
        state = .idle
        release(context)
    }

    /// Goes on with what came meanwhile, up to the next command that is stored.
    private func release(_ context: ChannelHandlerContext) {
        var rest = held[...]
        held = []
        while let next = rest.popFirst() {
            switch next {
            case .part(let part): receive(part, context)
            case .event(let event): userInboundEventTriggered(context: context, event: event)
            case .error(let error): errorCaught(context: context, error: error)
            }
            if case .storing = state {
                held = Array(rest)
                return
            }
        }
        context.fireChannelReadComplete()
        if isReadWanted {
            isReadWanted = false
            context.read()
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { passed = max(0, passed - 1) }
        context.write(data, promise: promise)
    }

    // MARK: What would overtake a command

    func read(context: ChannelHandlerContext) {
        // While a command is stored, bytes that arrive are held in memory. So reading stops as soon as something is
        // held. One read is allowed before that: without it the channel would be removed from the event loop's selector
        // and added again for each command, which costs two system calls.
        if case .storing = state, !held.isEmpty {
            isReadWanted = true
        } else {
            context.read()
        }
    }

    /// The end of the input and of the server close the connection as soon as nobody is being answered.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .storing = state {
            if event is ChannelShouldQuiesceEvent {
                // Otherwise a caller that sends without a pause would keep the server from shutting down. Requests
                // that were not started get no answer: the connection closes after the answer to this command.
                isEnding = true
                held.removeAll { if case .part = $0 { true } else { false } }
            }
            return held.append(.event(event))
        }
        if case .collecting(let head, let body) = state {
            // The rest of the request will not come, or has to come before the server is gone.
            passOn(head, body, context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// What cannot be read is answered by the library, which closes the connection then.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .storing = state { return held.append(.error(error)) }
        if case .collecting(let head, let body) = state { passOn(head, body, context) }
        context.fireErrorCaught(error)
    }
}

/// Which requests are short commands, and what is answered to them. Shared by the connections of a listener.
struct ShortCommands: Sendable {
    let ingest: Ingest
    let door: Door
    let authenticator: Authenticator
    let limiter: RateLimiter
    let hosts: HostRule?
    let date: DateLine
    let metrics: HTTPMetrics
    /// The Unix time in milliseconds.
    let now: @Sendable () -> Int64

    /// Whether a request is one command with a short body of a known length, and asks for nothing special.
    static func mayAnswer(_ head: HTTPRequest) -> Bool {
        guard head.method == .post, head.path == "/api/commands" else { return false }
        var length = 0
        for field in head.headerFields {
            switch field.name {
            case .contentLength: length = Int(field.value) ?? 0
            case .contentType: if CommandsRoute.isLines(field.value) { return false }
            case .connection: if field.value.lowercased() != "keep-alive" { return false }
            // A page of another origin is answered with headers that say who may read the answer.
            case .expect, .transferEncoding, .upgrade, .origin: return false
            // Whether it counts depends on who sent it.
            case .xRequestID: return false
            default: break
            }
        }
        return (1...CommandShortcut.maxBody).contains(length)
    }

    /// Submits the command of a request.
    /// - Parameter done: Gets what became of it, on any thread.
    /// - Returns: false if it is to be answered by the route: nothing was done then.
    func submit(
        _ head: HTTPRequest, _ body: [UInt8], _ done: @escaping @Sendable (Result<Receipt, CommandError>) -> Void
    ) -> Bool {
        if let hosts, hosts.verdict(head.authority, isRepeated: head.headerFields[.host] != nil) != .allowed {
            return false
        }
        guard let credential = authenticator.knownCredential(head.headerFields),
            credential.principal.scopes.contains(.commands), !limiter.hasRate(.command, credential),
            let request = try? CommandsRoute.request(
                body, credential.principal, door, origin: Submission.Origin(head.headerFields)),
            // A name can be somebody else's to change, which the route looks up.
            request.command.type != .renameUser
        else { return false }
        return ingest.submit([request]) { done($0[0]) }
    }

    private static let route = RouteTable.number(of: "/api/commands")

    /// The answer to a command, as ``CommandsRoute`` gives it.
    /// - Parameter start: When the command was submitted, by ``MonotonicClock``.
    func answer(_ outcome: Result<Receipt, CommandError>, since start: UInt64) -> (head: HTTPResponse, body: ByteBuffer)
    {
        var json = JSONWriter(capacity: 128)
        var status = HTTPResponse.Status.ok
        var headers = HTTPFields()
        switch outcome {
        case .success(let receipt): CommandsRoute.write(receipt, to: &json)
        case .failure(let error):
            metrics.noteRefusal(error.code)
            (status, headers) = APIFailure(error).write(to: &json)
        }
        metrics.note(route: Self.route, status: status.code, nanoseconds: MonotonicClock.nanoseconds() - start)
        let body = Response.line(json.bytes)
        headers[.contentType] = "application/json"
        headers[.contentLength] = "\(body.readableBytes)"
        headers[.requestID] = RequestID.new()
        headers[.date] = date.text(now())
        return (HTTPResponse(status: status, headerFields: headers), body)
    }
}
