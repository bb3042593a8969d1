import ChatMarkdown
import JSONBytes
import PluginKit

/// The chat services whose incoming webhooks are spoken to in their own words.
enum ChatPreset: String, CaseIterable, Sendable {
    /// `text`, at most 40,000 characters (docs.slack.dev, "chat.postMessage", "Truncating content").
    case slack
    /// `content`, at most 2,000 characters, and `username`, at most 80 (discord.com/developers, "Execute Webhook").
    case discord
    /// `text`, at most 16,383 runes (developers.mattermost.com, "Incoming webhooks").
    case mattermost

    /// A name's length at most in Discord, in characters.
    static let maxUsername = 80
    /// What a name in Discord may not contain.
    private static let namesOfDiscord = ["discord", "clyde"]
    /// What a name in Discord may not be.
    private static let rolesOfDiscord = ["everyone", "here"]

    /// The JSON to post.
    func body(of line: ChatLine, namesChannel: Bool) -> [UInt8] {
        var json = JSONWriter(capacity: 512)
        json.beginObject()
        switch self {
        case .slack, .mattermost: json.member("text", text(line, by: emphasized(line), namesChannel))
        case .discord:
            if let username = Self.username(line.author) {
                json.member("content", text(line, by: nil, namesChannel))
                json.member("username", username)
            } else {
                json.member("content", text(line, by: emphasized(line), namesChannel))
            }
            // What people write must not call everybody by the webhook's right to do so.
            json.key("allowed_mentions")
            json.beginObject()
            json.key("parse")
            json.beginArray()
            json.endArray()
            json.endObject()
        }
        json.endObject()
        return json.bytes
    }

    /// - Parameter author: Nil where the service shows the author by itself.
    private func text(_ line: ChatLine, by author: String?, _ namesChannel: Bool) -> String {
        let writer = writer
        let place = writer.literal("", "#\(line.channel)")
        let inPlace = namesChannel ? " in \(place)" : ""
        // "who (#where): ", "who: ", "(#where) " or nothing.
        let colon: String
        switch (author, namesChannel) {
        case (let author?, true): colon = "\(author) (\(place)): "
        case (let author?, false): colon = "\(author): "
        case (nil, true): colon = "(\(place)) "
        case (nil, false): colon = ""
        }
        let subject = author.map { $0 + " " } ?? ""
        switch line.what {
        case .said(let text): return writer.write(colon, text)
        case .did(let text):
            return writer.write("\(subject)\(namesChannel ? "(\(place)) " : "")", text, style: .italic)
        case .edited(let text): return writer.write("\(subject)edited a message\(inPlace): ", text)
        case .deleted: return "\(subject)deleted a message\(inPlace)"
        case .joined: return "\(subject)joined \(place)"
        case .left: return "\(subject)left \(place)"
        case .setTopic(""): return "\(subject)took away the topic of \(place)"
        case .setTopic(let topic): return writer.literal("\(subject)set the topic of \(place): ", topic)
        case .created: return "\(subject)created \(place)"
        case .destroyed: return "\(subject)closed \(place)"
        }
    }

    /// What writes texts in the service's markup.
    private var writer: MarkupWriter {
        switch self {
        case .slack: MarkupWriter(markup: SlackMarkup(), limit: 40_000, unit: .utf16)
        case .discord: MarkupWriter(markup: DiscordMarkup(), limit: 2000, unit: .utf16)
        case .mattermost: MarkupWriter(markup: MattermostMarkup(), limit: 16_383, unit: .runes)
        }
    }

    /// What tells a name from the text: the bold it is in, the colon behind it, and what links and calls. Slack's
    /// bold has no escape for its own sign.
    private static let signsOfSlack = ShownText.Signs("*`~:"), signsOfMarkdown = ShownText.Signs("<>|:")

    /// An author's name, in bold.
    private func emphasized(_ line: ChatLine) -> String {
        switch self {
        case .slack: return writer.literal("", line.author(without: Self.signsOfSlack), style: .bold)
        case .discord, .mattermost:
            var out = String.UnicodeScalarView()
            for scalar in line.author(without: Self.signsOfMarkdown).unicodeScalars {
                if "\\`*_~[]()#!".unicodeScalars.contains(scalar) { out.append("\\") }
                out.append(scalar)
                // Mattermost looks for mentions and entities after it has taken backslashes away.
                if scalar == "@" || scalar == "&" { out.append(Parting.space) }
            }
            return "**\(String(out))**"
        }
    }

    /// The name as Discord takes it; nil where it refuses it.
    static func username(_ name: String) -> String? {
        let lower = name.lowercased()
        if namesOfDiscord.contains(where: { lower.contains($0) }) || rolesOfDiscord.contains(lower) { return nil }
        if name.allSatisfy(\.isWhitespace) { return nil }
        return ChatText(limit: maxUsername, unit: .utf16).fit("", name)
    }
}
