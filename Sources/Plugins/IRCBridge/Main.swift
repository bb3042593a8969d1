import Glibc
import NIOCore
import NIOPosix
import PluginKit
import PluginWire

/// The executable `crowbar-irc`: the IRC bridge as a plugin.
@main
struct CrowbarIRC {
    /// The bridge's version, as `ready` says it.
    static let version = "0.1.0"
    /// How long the networks get to say good-bye where the host is gone, in seconds.
    static let deadlineWithoutHost = 2.0

    /// What it says to a person.
    private static let usage = PluginUsage(
        program: "crowbar-irc", version: version, purpose: "bridges channels of the chat to IRC networks",
        manifest: "plugins.d/irc.toml", page: "docs/irc.md")

    static func main() {
        usage.exitIfRunByHand()
        signal(SIGPIPE, SIG_IGN)
        var messages = HostMessages { $0.write() }
        let first = messages.next() ?? []
        guard case .hello(let hello) = first.first else {
            usage.exitWithoutHost()
        }
        let config: BridgeConfig
        do throws(ConfigError) {
            try checkSession(hello)
            config = try BridgeConfig(hello.config)
            try config.checkFiles()
        } catch {
            let all = BridgeConfig.problems(hello.config)
            // A check gets all problems, a starting server the first one.
            let isNetwork = error.message == Network.advice
            guard hello.purpose == .check, isNetwork || all.first == error else { refuse([error]) }
            refuse(isNetwork ? [error] + all : all)
        }
        ready(config, hello.plugin).write()
        if hello.purpose == .check { exit(0) }
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
        let (lines, plugin, waiting) = (messages.lines, hello.plugin, Array(first.dropFirst()))
        loop.execute {
            let pipe = HostPipe(loop: loop, lines: lines)
            let bridge = Bridge(config: config, plugin: plugin, host: pipe, loop: loop)
            bridge.whenDrained.assumeIsolated().whenSuccess {
                pipe.send(.drained)
                pipe.flush { exit(0) }
            }
            waiting.forEach(bridge.take)
            // Where the host is gone the drain's end exits the process.
            pipe.begin(
                onMessages: bridge.take, onEnd: { bridge.hostEnded(deadline: deadlineWithoutHost) })
        }
        while true { pause() }
    }

    private static func checkSession(_ hello: HostMessage.Hello) throws(ConfigError) {
        guard hello.version == Wire.version else {
            let message = "the host speaks version \(hello.version), this plugin \(Wire.version)"
            throw ConfigError(path: "protocol", message: message)
        }
        if Network.isClosed { throw ConfigError(path: "", message: Network.advice) }
        guard hello.phase == "event" else {
            throw ConfigError(path: "phase", message: "must be 'event': the bridge judges no commands")
        }
        guard hello.purpose != .replay else {
            throw ConfigError(path: "replay", message: "IRC cannot be said again; set replay = false")
        }
    }

    private static func ready(_ config: BridgeConfig, _ plugin: String) -> PluginMessage {
        let queues = config.networks.map {
            Relay(config: $0, links: config.links, plugin: plugin).queue
        }
        // Nothing is ever sent back with `retry`, so the duty that comes with taking several at once is void.
        return .ready(
            PluginMessage.Ready(
                name: "crowbar-irc", programVersion: version, reload: true, pipelined: true, queues: queues))
    }

    private static func refuse(_ errors: [ConfigError]) -> Never {
        for error in errors {
            PluginMessage.fatal(
                code: "bad_configuration", problem: PluginMessage.Problem(path: error.path, message: error.message),
                retry: false
            ).write()
        }
        exit(Wire.exitBadConfiguration)
    }
}
