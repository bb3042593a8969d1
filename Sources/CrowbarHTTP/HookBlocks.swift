import JSONBytes

/// The text of what programs post in place of plain text: Slack's blocks and Discord's embeds, without their looks.
enum HookBlocks {
    /// How deep blocks are read within each other. Slack's own go four deep.
    private static let mostDepth = 6

    /// A line for each of Slack's blocks (docs.slack.dev, "Blocks") that has a text.
    static func lines(_ blocks: JSON?) -> [String] {
        (blocks?.array ?? []).map { text($0, depth: 0) }.filter { !$0.isEmpty }
    }

    /// A block's own text, its fields and its elements. Those of a line of rich text stand one behind the other, others
    /// on lines of their own.
    private static func text(_ block: JSON, depth: Int) -> String {
        guard depth < mostDepth else { return "" }
        let kind = block["type"]?.string ?? ""
        let fields = (block["fields"]?.array ?? []).compactMap { text($0, depth: depth + 1) }
        let elements = (block["elements"]?.array ?? []).map { text($0, depth: depth + 1) }
        let isOneLine = ["rich_text_section", "rich_text_preformatted", "rich_text_quote"].contains(kind)
        let inner = isOneLine ? [elements.joined()] : elements
        return ([own(block, kind)] + fields + inner).filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private static func own(_ block: JSON, _ kind: String) -> String {
        switch kind {
        case "link": block["text"]?.string ?? block["url"]?.string ?? ""
        case "emoji": block["name"]?.string.map { ":\($0):" } ?? ""
        case "image": block["alt_text"]?.string ?? ""
        // The label of something that cannot be pressed here.
        case "button", "actions": ""
        default: block["text"]?.string ?? block["text"]?["text"]?.string ?? ""
        }
    }

    /// Lines for each of Discord's embeds (discord.com/developers, "Embed Object"): its title, its description, and its
    /// fields as `name: value`.
    static func lines(ofEmbeds embeds: JSON?) -> [String] {
        (embeds?.array ?? []).flatMap { embed in
            [embed["title"]?.string, embed["description"]?.string].compactMap(\.self) + fields(embed, "name")
        }.filter { !$0.isEmpty }
    }

    /// The fields of an embed, or of one of Slack's attachments.
    /// - Parameter title: The member that names a field.
    static func fields(_ table: JSON, _ title: String) -> [String] {
        (table["fields"]?.array ?? []).compactMap { field in
            let parts = [field[title]?.string, field["value"]?.string].compactMap(\.self).filter { !$0.isEmpty }
            return parts.isEmpty ? nil : parts.joined(separator: ": ")
        }
    }
}
