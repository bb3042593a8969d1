import ArgumentParser
import Glibc

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
        let configuration = try settings.load()
        let path = configuration.file
        let isThere = access(path, F_OK) == 0
        try await Server(
            configuration: configuration,
            reload: {
                // Without the file all settings would be the defaults, which nobody asked for.
                if isThere, access(path, F_OK) != 0 { throw Refusal("there is no file '\(path)' any more") }
                return try ConfigurationOption.load(file)
            }
        ).run()
    }
}
