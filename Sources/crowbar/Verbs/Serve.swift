import ArgumentParser

/// `crowbar serve`.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the server: log, API, plugins.",
        discussion: """
            Shuts down on SIGINT, SIGTERM or SIGQUIT, after what is under way is done; SIGHUP reloads crowbar.toml and \
            the plugin folder. Logs go to standard error.
            """)

    @OptionGroup var settings: ConfigurationOption

    func run() async throws {
        let file = settings.file
        try await Server(configuration: try settings.load(), reload: { try ConfigurationOption.load(file) }).run()
    }
}
