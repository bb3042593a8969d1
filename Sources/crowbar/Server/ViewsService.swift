import CrowbarViews
import ServiceLifecycle

/// Keeps the views in step with the log until a graceful shutdown. It never fails, so it never ends the server.
struct ViewsService: Service {
    let views: Views

    func run() async throws {
        await cancelWhenGracefulShutdown { await views.run() }
    }
}
