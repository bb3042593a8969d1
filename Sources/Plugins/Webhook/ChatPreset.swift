import JSONBytes

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
        case .slack, .mattermost: json.member("text", text(line, by: emphasized(line.author), namesChannel))
        case .discord:
            if let username = Self.username(line.author) {
                json.member("content", text(line, by: nil, namesChannel))
                json.member("username", username)
            } else {
                json.member("content", text(line, by: emphasized(line.author), namesChannel))
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
        let place = namesChannel ? "#\(line.channel)" : ""
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
        case .said(let text): return fitted.fit(colon, text)
        case .did(let text): return fitted.fit("\(subject)\(namesChannel ? "(\(place)) " : "")_", text, "_")
        case .edited(let text): return fitted.fit("\(subject)edited a message\(inPlace): ", text)
        case .deleted: return "\(subject)deleted a message\(inPlace)"
        case .joined: return "\(subject)joined #\(line.channel)"
        case .left: return "\(subject)left #\(line.channel)"
        case .setTopic(""): return "\(subject)took away the topic of #\(line.channel)"
        case .setTopic(let topic): return fitted.fit("\(subject)set the topic of #\(line.channel): ", topic)
        case .created: return "\(subject)created #\(line.channel)"
        case .destroyed: return "\(subject)closed #\(line.channel)"
        }
    }

    private var fitted: ChatText {
        switch self {
        case .slack: ChatText(limit: 40_000, unit: .utf16, escape: Self.slackEscaped)
        case .discord: ChatText(limit: 2000, unit: .utf16) { String($0) }
        // @all, @channel and @here call everybody: a space without width makes them plain text.
        case .mattermost: ChatText(limit: 16_383, unit: .runes) { $0 == "@" ? "@\u{200B}" : String($0) }
        }
    }

    /// An author's name, in bold.
    private func emphasized(_ name: String) -> String {
        switch self {
        case .slack: "*\(name.map(Self.slackEscaped).joined())*"
        case .discord, .mattermost:
            "**\(name.map { "\\`*_~|<>[]()#@".contains($0) ? "\\\($0)" : String($0) }.joined())**"
        }
    }

    /// Slack's three characters (docs.slack.dev, "Formatting message text"); also keeps `<!channel>` from calling.
    private static func slackEscaped(_ character: Character) -> String {
        // By code point: a mark that follows joins with the character, which is then another one to Swift.
        var out = ""
        for scalar in character.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    /// The name as Discord takes it; nil where it refuses it.
    static func username(_ name: String) -> String? {
        let lower = name.lowercased()
        if namesOfDiscord.contains(where: { lower.contains($0) }) || rolesOfDiscord.contains(lower) { return nil }
        if name.allSatisfy(\.isWhitespace) { return nil }
        return ChatText(limit: maxUsername, unit: .utf16) { String($0) }.fit("", name)
    }
}
