import JSONBytes
import PluginKit
import PluginWire

/// The keys of an endpoint's queue.
extension ConfigurationTable {
    /// Deliveries in flight, where `concurrency` is left out.
    package static var defaultConcurrency: Int64 { 64 }
    /// The most deliveries in flight that an endpoint may ask for.
    package static var maxConcurrency: Int64 { 1024 }
    /// What `timeout` may be, in milliseconds. Its end stays below the host's ack deadline of 60 s.
    package static var timeouts: ClosedRange<Int64> { 100...50_000 }

    /// The name, which is the queue's.
    /// - Parameters:
    ///   - noun: What has it: `endpoint`.
    package mutating func queueName(of noun: String) -> String? {
        guard let name = required("name", "it names the \(noun)'s queue, as in name = \"audit\"") else { return nil }
        if !Wire.isName(name) {
            fail("name", "a name is 1 to 64 of a-z 0-9 _ -, beginning with a letter or digit")
        } else if name == "cli" || name == "incoming" {
            fail("name", "'\(name)' is reserved")
        }
        return name
    }

    /// Event types; nil: those of the manifest.
    package mutating func eventTypes() -> [String]? {
        strings("types", of: "event types such as MESSAGE_SENT") { type in
            !type.isEmpty && type.utf8.allSatisfy { (0x41...0x5A).contains($0) || $0 == 0x5F }
        }
    }

    /// Channels or patterns ending in `*`; nil: those of the manifest.
    package mutating func channels() -> [String]? {
        strings("channels", of: "channels, which may end in *") { !$0.isEmpty }
    }

    /// Where a new queue begins; nil: as the manifest says.
    package mutating func queueStart() -> String? {
        guard let start = string("start") else { return nil }
        let isPlace = start.hasPrefix("id:") && start.utf8.count > 3 || start.hasPrefix("@") && start.utf8.count > 1
        if start != "now", start != "beginning", !isPlace {
            fail("start", "\"now\", \"beginning\", \"id:EVENTID\" or \"@TIME\" is expected")
        }
        return start
    }

    /// `channel`, `total` or `none`; nil: as the manifest says.
    package mutating func queueOrder() -> String? {
        guard let order = string("order") else { return nil }
        if !["channel", "total", "none"].contains(order) {
            fail("order", "\"channel\", \"total\" or \"none\" is expected")
        }
        return order
    }

    /// Deliveries in flight at most.
    package mutating func concurrency() -> Int64 {
        int("concurrency", in: 1...Self.maxConcurrency) ?? Self.defaultConcurrency
    }
}

/// Reads a list of tables, each an endpoint with a name of its own.
/// - Parameters:
///   - key: The list's key: `endpoints`.
///   - noun: One of them: `endpoint`.
///   - read: Reads one and returns what is wrong with it.
/// - Returns: All that is wrong.
package func readEndpoints(
    _ top: ConfigurationTable, _ key: String, of noun: String,
    _ read: (_ element: JSON, _ path: String) -> [PluginMessage.Problem]
) -> [PluginMessage.Problem] {
    let elements = top.value(key)?.array ?? []
    guard (1...SendLimits.maxEndpoints).contains(elements.count) else {
        let message = "1 to \(SendLimits.maxEndpoints) \(key) are expected, each as [[config.\(key)]]"
        return [.init(path: key, message: message)]
    }
    var problems: [PluginMessage.Problem] = []
    var names: Set<String> = []
    for (i, element) in elements.enumerated() {
        let path = "\(key)[\(i)]"
        problems += read(element, path)
        let name = element["name"]?.string ?? path
        if !names.insert(name).inserted {
            problems.append(.init(path: "\(path).name", message: "another \(noun) is named '\(name)' too"))
        }
    }
    return problems
}
