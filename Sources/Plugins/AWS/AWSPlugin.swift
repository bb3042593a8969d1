import PluginHTTP

/// `crowbar-aws`: hands events to Lambda functions, SQS queues and SNS topics, each a queue of its own.
@main
struct AWSPlugin {
    private static let program = SendingProgram(
        name: "crowbar-aws", version: "1",
        purpose: "hands the chat's events to Lambda functions, SQS queues and SNS topics", subject: "targets",
        manifest: "plugins.d/aws.toml", page: "docs/aws.md")

    static func main() { SendingPlugin<AWSConfiguration>.main(program) }
}
