import JSONBytes
import PluginKit

/// Reads what an endpoint is posted: `body`, and the keys that belong to one kind of it.
enum BodyReader {
    /// The source of CloudEvents where none is given.
    static let defaultSource = "/crowbar"
    /// A source at most, in bytes.
    static let maxSource = 1024

    private static let names =
        ["event", "cloudevents", "cloudevents-structured"] + ChatPreset.allCases.map(\.rawValue) + ["template"]

    /// Reads it out of the endpoint's table, where problems are noted.
    /// - Parameter channels: The endpoint's channels: where it is one, texts need not name it.
    static func read(_ table: inout ConfigurationTable, channels: [String]?) -> BodyFormat? {
        let name = table.string("body") ?? "event"
        let source = source(&table, of: name)
        let template = template(&table, of: name)
        switch name {
        case "event": return .event
        case "cloudevents": return .cloudEvents(source: source)
        case "cloudevents-structured": return .structured(source: source)
        case "template": return template.map { .template($0) }
        default:
            guard let preset = ChatPreset(rawValue: name) else {
                let near = NearestName.to(name, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
                table.fail("body", "one of \(names.joined(separator: ", ")) is expected\(near)")
                return nil
            }
            let isOne = channels?.count == 1 && channels?.first?.hasSuffix("*") == false
            return .chat(preset, namesChannel: !isOne)
        }
    }

    private static func source(_ table: inout ConfigurationTable, of body: String) -> String {
        guard let source = table.string("source") else { return defaultSource }
        if !body.hasPrefix("cloudevents") {
            table.fail("source", "this belongs to body = \"cloudevents\" or \"cloudevents-structured\"")
        }
        let isURI =
            !source.isEmpty && source.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"<>\\^`{|}".utf8.contains($0) }
        if !isURI || source.utf8.count > maxSource {
            table.fail("source", "a URI reference such as \"https://chat.example.org\" is expected")
        }
        return source
    }

    private static func template(_ table: inout ConfigurationTable, of body: String) -> Template? {
        guard body == "template" else {
            if table.value("template") != nil { table.fail("template", "this belongs to body = \"template\"") }
            return nil
        }
        guard let text = table.required("template", "body = \"template\" needs it") else { return nil }
        do throws(Template.Problem) { return try Template(text) } catch {
            table.fail("template", "\(error)")
            return nil
        }
    }
}
