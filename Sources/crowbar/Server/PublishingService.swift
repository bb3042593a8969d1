import CrowbarViews
import ServiceLifecycle

/// Copies views to folders and buckets until a graceful shutdown. It never fails, so it never ends the server.
struct PublishingService: Service {
    let publishers: Publishers

    func run() async throws {
        await cancelWhenGracefulShutdown { [publishers] in
            await publishers.run()
            // Where nothing is published, the service must not end before the server does.
            while !Task.isCancelled { try? await Task.sleep(for: .seconds(3_600)) }
        }
    }
}
