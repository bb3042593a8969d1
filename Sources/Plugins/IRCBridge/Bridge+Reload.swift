import PluginKit
import PluginWire

// A new configuration while the plugin runs: networks that are the same notice nothing.
extension Bridge {
    /// How long a network that is not wanted any more has to say what it has begun, in seconds.
    static let farewell = 5.0

    /// Takes a new configuration.
    /// - Returns: What is wrong with it; the old one then stays in force.
    func reconfigure(_ new: BridgeConfig) -> ConfigError? {
        do throws(ConfigError) {
            try new.checkFiles()
        } catch {
            return error
        }
        let before = queues
        let wanted = Set(new.networks.map(\.name))
        for name in networks.keys.sorted() where !wanted.contains(name) { retire(name) }
        for config in new.networks {
            if let network = networks[config.name] {
                network.reconfigure(config, links: new.links)
            } else {
                add(config, links: new.links)
            }
        }
        // The host answers with a `start` for those that are new or changed.
        let after = queues
        func isSame(_ a: PluginMessage.Queue, _ b: PluginMessage.Queue) -> Bool {
            (a.name, a.channels, a.writes) == (b.name, b.channels, b.writes)
        }
        if before.count != after.count || !zip(before, after).allSatisfy(isSame) { host.send(.queues(after)) }
        sendStatus()
        return nil
    }

    /// The queues as they are declared now, in order of their names.
    private var queues: [PluginMessage.Queue] { networks.sorted { $0.key < $1.key }.map(\.value.queue) }
}
