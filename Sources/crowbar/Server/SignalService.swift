import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Acts on signals as ``SignalPolicy`` says, from the start of the server until all else has ended.
struct SignalService: Service {
    /// Where ``SignalPipe`` writes to.
    let descriptor: Int32
    let table: [SignalPolicy]
    let reload: ServerReload
    /// Asks for an orderly shutdown.
    let shutdown: AsyncStream<Void>.Continuation
    let logger: Logger

    func run() async throws {
        let copy = dup(descriptor)
        guard copy >= 0 else { throw Refusal("there is no descriptor left for signals; raise the limit (ulimit -n)") }
        let channel = try await NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .takingOwnershipOfDescriptor(input: copy) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, Never>(wrappingChannelSynchronously: channel)
                }
            }
        await cancelWhenGracefulShutdown {
            // It ends by cancellation alone: the pipe's other end stays open.
            try? await channel.executeThenClose { inbound in
                var (received, isShuttingDown) = (ByteBuffer(), false)
                for try await var chunk in inbound {
                    received.writeBuffer(&chunk)
                    while let signal = Self.next(&received) { await act(on: signal, &isShuttingDown) }
                }
            }
        }
    }

    private static func next(_ received: inout ByteBuffer) -> ReceivedSignal? {
        guard received.readableBytes >= ReceivedSignal.size,
            let number: Int32 = received.readInteger(endianness: .host),
            let sender: Int32 = received.readInteger(endianness: .host)
        else { return nil }
        return ReceivedSignal(number: number, sender: sender)
    }

    private func act(on signal: ReceivedSignal, _ isShuttingDown: inout Bool) async {
        guard let policy = table.first(where: { $0.number == signal.number }) else { return }
        let metadata: Logger.Metadata = ["signal": "\(policy.name)", "sender": "\(signal.sender)"]
        switch policy.action {
        case .ignore: logger.notice("signal ignored", metadata: metadata)
        case .reload:
            logger.notice("signal received, reloading", metadata: metadata)
            await reload.run()
        case .shutdown where isShuttingDown:
            logger.notice(
                "signal received while the server is shutting down; SIGKILL would end it at once", metadata: metadata)
        case .shutdown:
            isShuttingDown = true
            logger.notice("signal received, shutting down", metadata: metadata)
            shutdown.yield()
        }
    }
}

/// Ends when a shutdown is asked for, and with it the group of services.
struct ShutdownService: Service {
    let requests: AsyncStream<Void>

    func run() async throws {
        await cancelWhenGracefulShutdown { for await _ in requests { return } }
    }
}
