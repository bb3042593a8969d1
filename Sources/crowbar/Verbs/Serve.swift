import ArgumentParser

/// `crowbar serve`.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the server: log, API, plugins.",
        discussion: "Ends on SIGINT or SIGTERM, after what is under way is done. Logs go to standard error.")

    @OptionGroup var settings: ConfigurationOption

    func run() async throws {
        try await Server(configuration: try settings.load()).run()
    }
}
