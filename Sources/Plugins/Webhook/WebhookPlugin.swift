import PluginHTTP

/// `crowbar-webhook`: posts events to HTTP endpoints, each a queue of its own.
@main
struct WebhookPlugin {
    private static let program = SendingProgram(
        name: "crowbar-webhook", version: "1", purpose: "posts the chat's events to HTTP endpoints",
        subject: "webhooks", manifest: "plugins.d/webhook.toml", page: "docs/webhook.md")

    static func main() { SendingPlugin<WebhookConfiguration>.main(program) }
}
