/// What people write, made unable to call others or to hide where a link leads, in the words of one chat service. The
/// rest of its markup stays: bold and code are wanted.
///
/// Everything goes by code point: a `Character` may hold a sign together with what combines with it, such as U+0600 and
/// the `@` behind it, and no comparison of characters would see the sign.
enum ChatMarkup {
    /// Parts words without being seen; in none of the services does a mention or a link go through it.
    static let part: Unicode.Scalar = "\u{200B}"
    /// The longest name of an HTML entity, in letters; the longest of the standard has 31.
    private static let longestEntity = 40

    /// Slack's three signs (docs.slack.dev, "Formatting message text"): without them there is no `<!channel>`, no
    /// `<@user>`, no `<url|text>`. Slack reads no Markdown links.
    static func slack(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 0x26 || $0 == 0x3C || $0 == 0x3E }) else { return text }
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out.append(contentsOf: "&amp;".unicodeScalars)
            case "<": out.append(contentsOf: "&lt;".unicodeScalars)
            case ">": out.append(contentsOf: "&gt;".unicodeScalars)
            default: out.append(scalar)
            }
        }
        return String(out)
    }

    /// Discord is told to resolve no mentions (`allowed_mentions`), so that only `[text](url)` is left to take apart.
    static func discord(_ text: String) -> String {
        guard text.utf8.contains(0x5D) else { return text }
        let scalars = Array(text.unicodeScalars)
        var out = String.UnicodeScalarView()
        for (i, scalar) in scalars.enumerated() {
            out.append(scalar)
            if scalar == "]", isNext(scalars, i, "(") { out.append(part) }
        }
        return String(out)
    }

    /// Mattermost calls by `@all` and the like, also where the `@` is written as an entity, and by Slack's `<!all>`. It
    /// reads Markdown links, `[text](url)` and `[text]` with `[text]: url` on another line, and Slack's `<url|text>`.
    static func mattermost(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 0x26 || $0 == 0x3C || $0 == 0x40 || $0 == 0x5D }) else { return text }
        let scalars = Array(text.unicodeScalars)
        let bars = barsOfLinks(scalars)
        var out = String.UnicodeScalarView()
        for (i, scalar) in scalars.enumerated() {
            // A bar that is no bar to the service: what it parts would be read as address and text.
            out.append(bars.contains(i) ? "\u{2502}" : scalar)
            let parts =
                switch scalar {
                case "@": true
                case "&": isEntity(scalars, i)
                case "<": isNext(scalars, i, "!")
                case "]": isNext(scalars, i, "(") || isNext(scalars, i, ":")
                default: false
                }
            if parts { out.append(part) }
        }
        return String(out)
    }

    private static func isNext(_ scalars: [Unicode.Scalar], _ i: Int, _ sign: Unicode.Scalar) -> Bool {
        i + 1 < scalars.count && scalars[i + 1] == sign
    }

    /// Whether `&` begins an entity: a number, with or without its semicolon, or a name with one.
    private static func isEntity(_ scalars: [Unicode.Scalar], _ i: Int) -> Bool {
        if isNext(scalars, i, "#") { return true }
        var end = i + 1
        while end < scalars.count, end - i <= longestEntity, scalars[end].isASCII,
            scalars[end].properties.isAlphabetic || ("0"..."9").contains(scalars[end])
        {
            end += 1
        }
        return end > i + 1 && end < scalars.count && scalars[end] == ";"
    }

    /// The places of the first `|` behind a `<` that has a `>` behind it: each would make a link of what stands there.
    private static func barsOfLinks(_ scalars: [Unicode.Scalar]) -> Set<Int> {
        var bars: Set<Int> = []
        guard let lastEnd = scalars.lastIndex(of: ">") else { return bars }
        var isOpen = false
        for (i, scalar) in scalars[..<lastEnd].enumerated() {
            if scalar == "<" {
                isOpen = true
            } else if scalar == "|", isOpen {
                bars.insert(i)
                isOpen = false
            }
        }
        return bars
    }
}
