/// Small readers of what the chat services show of a text, by their own rules. Each gives what people see; signs
/// that are read as markup are gone. From docs.slack.dev ("Formatting message text"), from the Markdown parser that
/// Mattermost uses (github.com/mattermost/marked) and from a parser made by trials of Discord's client
/// (github.com/LyricLy/parse-discord).
enum ServiceReader {
    /// Without signs that have no look, and without white space, which services fold.
    static func visible(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.filter {
                    $0 != "\u{200B}" && $0 != "\u{AD}" && !$0.properties.isWhitespace
                }))
    }
}

// MARK: Slack

extension ServiceReader {
    static func slack(_ text: String) -> String {
        var out = ""
        var rest = text[...]
        while let fence = rest.firstRange(of: "```") {
            guard let end = rest[fence.upperBound...].firstRange(of: "```") else { break }
            out += slackLines(String(rest[..<fence.lowerBound]))
            out += rest[fence.upperBound..<end.lowerBound]
            rest = rest[end.upperBound...]
        }
        return (out + slackLines(String(rest)))
            .replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&amp;", with: "&")
    }

    private static func slackLines(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.hasPrefix("&gt; ") || line.hasPrefix("&gt;")
                ? (line.hasPrefix("&gt; ") ? "> " : "") + slackLine(Array(line.unicodeScalars.dropFirst(5)))
                : slackLine(Array(line.unicodeScalars))
        }.joined(separator: "\n")
    }

    private static func isBreak(_ scalar: Unicode.Scalar?) -> Bool {
        guard let scalar else { return true }
        return scalar != "\u{AD}" && !scalar.properties.isAlphabetic && scalar.properties.numericType == nil
    }

    private static func slackLine(_ line: [Unicode.Scalar]) -> String {
        var out = ""
        var i = 0
        func at(_ i: Int) -> Unicode.Scalar? { line.indices.contains(i) ? line[i] : nil }
        func end(_ sign: Unicode.Scalar) -> Int? {
            guard isBreak(at(i - 1)), let next = at(i + 1), !next.properties.isWhitespace else { return nil }
            return line.indices.first {
                $0 > i + 1 && line[$0] == sign && !line[$0 - 1].properties.isWhitespace && isBreak(at($0 + 1))
            }
        }
        while i < line.count {
            switch line[i] {
            case "<":
                let close = line[i...].firstIndex(of: ">") ?? line.count - 1
                let inner = String(String.UnicodeScalarView(line[(i + 1)..<close]))
                out += inner.hasPrefix("http") ? String(inner.split(separator: "|").last ?? "") : "CALL"
                i = close + 1
            case "`":
                guard let close = end("`") else { fallthrough }
                out += String(String.UnicodeScalarView(line[(i + 1)..<close]))
                i = close + 1
            case "*", "_", "~":
                if let close = end(line[i]), line[i] != "`" {
                    out += slackLine(Array(line[(i + 1)..<close]))
                    i = close + 1
                } else {
                    fallthrough
                }
            default:
                out.unicodeScalars.append(line[i])
                i += 1
            }
        }
        return out
    }
}

// MARK: Discord

extension ServiceReader {
    static func discord(_ text: String) -> String { discord(text[...], inQuote: false) }

    private static func discord(_ text: Substring, inQuote: Bool, isAtStart: Bool = true) -> String {
        var out = ""
        var rest = text
        var line = isAtStart ? "" : "$"
        func isLineStart() -> Bool { line.allSatisfy { $0 == " " } }
        func take(_ end: Substring.Index, _ shown: String) {
            line = rest[..<end].last == "\n" ? "" : line + "$"
            rest = rest[end...]
            out += shown
        }
        func inner(_ text: Substring) -> String { discord(text, inQuote: inQuote, isAtStart: isLineStart()) }
        while let first = rest.first {
            if first == "\\", let match = rest.scalarPrefix(of: #/\\[^A-Za-z0-9\s]/#) {
                take(match.range.upperBound, String(match.output.dropFirst()))
            } else if first == ">", isLineStart(), !inQuote, let match = rest.scalarPrefix(of: #/> ([^\n]*\n?)/#) {
                take(match.range.upperBound, "> " + discord(match.output.1, inQuote: true))
            } else if first == ">", isLineStart(), !inQuote, let match = rest.scalarPrefix(of: #/>>> ([\s\S]*)/#) {
                take(match.range.upperBound, discord(match.output.1, inQuote: true))
            } else if isLineStart(), let match = rest.scalarPrefix(of: #/(?:[*-]|[0-9]+\.) +([^\n]+\n?)/#) {
                take(match.range.upperBound, discord(match.output.1, inQuote: inQuote))
            } else if line.isEmpty, let match = rest.scalarPrefix(of: #/(?:\#{1,3}|-\#)\s+([^\n]*\n?)/#) {
                take(match.range.upperBound, inner(match.output.1))
            } else if first == "`",
                let match = rest.scalarPrefix(of: #/```(?:([a-zA-Z_\-+.0-9]*)\n)?([\s\S]*?[^\n`][\s\S]*?)```/#)
            {
                take(match.range.upperBound, String(match.output.2))
            } else if first == "*" || first == "_", let (end, content) = discordStyle(rest) {
                take(end, inner(content))
            } else if first == "~", let match = rest.scalarPrefix(of: #/~~([\s\S]+?)~~(?!_)/#) {
                take(match.range.upperBound, inner(match.output.1))
            } else if first == "|", let match = rest.scalarPrefix(of: #/\|\|([\s\S]+?)\|\|/#) {
                take(match.range.upperBound, inner(match.output.1))
            } else if first == "`", let match = rest.scalarPrefix(of: #/(`+)([\s\S]*?[^`])\1(?!`)/#) {
                take(match.range.upperBound, String(match.output.2))
            } else if first == "h" || first == "s",
                let match = rest.scalarPrefix(of: #/(?:https?|steam):\/\/[^\s<]+[^<.,:;"'\]\s]/#)
            {
                take(match.range.upperBound, String(match.output))
            } else if first == "<", let match = rest.scalarPrefix(of: #/<([^: >]+:\/[^ >]+)>/#) {
                // The signs are not shown, and the plugin leaves them: the text has them for another service.
                take(match.range.upperBound, String(match.output.0))
            } else if first == "[", let match = rest.scalarPrefix(of: #/\[((?:\[[^\]]*\]|[^\[\]])*)\]\([^\s)]*\)/#) {
                take(match.range.upperBound, inner(match.output.1))
            } else {
                out.append(first)
                line = first == "\n" ? "" : line + String(first)
                rest = rest.dropFirst()
            }
        }
        return out
    }

    private static func discordStyle(_ text: Substring) -> (Substring.Index, Substring)? {
        var found: [(Substring.Index, Substring)] = []
        if let match = text.scalarPrefix(
            of: #/\*(?!\s)((?:\\[\s\S]|\*\*|[^*\\])*?(?:\\[\s\S]|\*\*|[^*\\\s])) {0,2}\*(?!\*)/#)
        {
            found.append((match.range.upperBound, match.output.1))
        }
        if let match = text.scalarPrefix(of: #/_((?:\\[\s\S]|__|[^_\\])+?)_(?![a-zA-Z0-9_])/#) {
            found.append((match.range.upperBound, match.output.1))
        }
        if let match = text.scalarPrefix(of: #/\*\*((?:\\[\s\S]|[^\\])+?)\*\*(?!\*)/#) {
            found.append((match.range.upperBound, match.output.1))
        }
        if let match = text.scalarPrefix(of: #/__((?:\\[\s\S]|[^\\])+?)__(?!_)/#) {
            found.append((match.range.upperBound, match.output.1))
        }
        // Bold and underline count before italics that are shorter.
        return found.max { $0.0 < $1.0 }
    }
}

// MARK: Mattermost

extension ServiceReader {
    static func mattermost(_ text: String) -> String {
        blocks(text.replacing("\t", with: "    ").replacing("\u{A0}", with: " ")[...])
    }

    private static func blocks(_ text: Substring) -> String {
        var out = ""
        var rest = text
        func take(_ end: Substring.Index, _ shown: String) {
            rest = rest[end...]
            out += shown + "\n"
        }
        let fence = #/ {0,3}(`{3,}|~{3,})([^`~\n]*)\n([\s\S]*?)(?:\n {0,3}\1[~`]* *(?:\n+|$)|$)/#
        let heading = #/ *\#{1,6} +([^\n]+?) *(?:\n+|$)/#
        let underlined = #/([^\n]+)\n *(?:={2,}|-{2,}) *(?:\n+|$)/#
        let rule = #/(?: *[-*_]){3,} *(?:\n|$)/#
        let quote = #/(?: *>[^\n]+(?:\n[^\n]+)*\n*)+/#
        let item = #/ *(?:[*+-]|[0-9]+\.) ([^\n]*)(?:\n|$)/#
        let table = #/ *\|?[^\n]*\|[^\n]*\n *\|? *[-:]+ *\|[-| :]*(?:\n|$)/#
        let definition = #/ *\[[^\]]+\]: *[^\s>]+[^\n]*(?:\n|$)/#
        while !rest.isEmpty {
            if let match = rest.scalarPrefix(of: #/\n+/#) { rest = rest[match.range.upperBound...] }
            if let match = rest.scalarPrefix(of: #/(?: {4} *[^\n ][^\n]*\n*)+/#) {
                take(match.range.upperBound, "INDENTED")
                continue
            }
            while let line = rest.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false).first {
                if let match = rest.scalarPrefix(of: fence) {
                    take(match.range.upperBound, entitiesOfHTML(String(match.output.3)))
                } else if let match = rest.scalarPrefix(of: heading) {
                    take(match.range.upperBound, inline(match.output.1))
                } else if let match = rest.scalarPrefix(of: table) {
                    take(match.range.upperBound, "TABLE")
                } else if let match = rest.scalarPrefix(of: underlined) {
                    take(match.range.upperBound, inline(match.output.1))
                } else if let match = rest.scalarPrefix(of: rule) {
                    take(match.range.upperBound, "")
                } else if let match = rest.scalarPrefix(of: quote) {
                    // The sign that the plugin writes is shown as a bar, another one not at all.
                    let lines = match.output.split(separator: "\n", omittingEmptySubsequences: false)
                    take(
                        match.range.upperBound,
                        lines.map { line in
                            line.hasPrefix("> ") ? "> " + blocks(line.dropFirst(2)) : line.isEmpty ? "" : "LAZY"
                        }.joined(separator: "\n"))
                } else if let match = rest.scalarPrefix(of: item) {
                    take(match.range.upperBound, inline(match.output.1))
                } else if let match = rest.scalarPrefix(of: definition) {
                    take(match.range.upperBound, "")
                } else {
                    // A paragraph ends where another block begins.
                    var end = rest.index(rest.startIndex, offsetBy: line.count)
                    while end < rest.endIndex, let next = rest[rest.index(after: end)...].nonEmpty, next.first != "\n" {
                        let begins =
                            next.scalarPrefix(of: fence) != nil || next.scalarPrefix(of: heading) != nil
                            || next.scalarPrefix(of: underlined) != nil || next.scalarPrefix(of: rule) != nil
                            || next.scalarPrefix(of: quote) != nil || next.scalarPrefix(of: item) != nil
                            || next.scalarPrefix(of: definition) != nil || next.scalarPrefix(of: table) != nil
                        if begins { break }
                        end = next.firstIndex(of: "\n") ?? next.endIndex
                    }
                    take(end, inline(rest[..<end]))
                    if rest.first == "\n" { rest = rest.dropFirst() }
                    if rest.isEmpty { return out }
                    if rest.first == "\n" { break }
                    continue
                }
                break
            }
        }
        return out
    }

    private static func inline(_ text: Substring) -> String {
        var out = ""
        var rest = text
        var last: Character?
        func take(_ end: Substring.Index, _ shown: String) {
            // Behind what was read as something else, no word goes on.
            last = nil
            rest = rest[end...]
            out += shown
        }
        func isWord(_ character: Character?) -> Bool {
            character.map { $0 == "_" || $0.isASCII && ($0.isLetter || $0.isNumber) } ?? false
        }
        while let first = rest.first {
            if first == "\\", let match = rest.scalarPrefix(of: #/\\(?:([`*{}\[\]()\#+\-.!_>|~])|\\(?![A-Za-z0-9_]))/#)
            {
                take(match.range.upperBound, match.output.1.map(String.init) ?? "\\")
            } else if first == "<", let match = rest.scalarPrefix(of: #/<(?:[^ >]+(?:@|:\/)|www\.)[^ >]+>/#) {
                take(match.range.upperBound, String(match.output))
            } else if first.isASCII, first.isLetter, last == nil || !isWord(last) && first.isLowercase,
                let match = rest.scalarPrefix(of: url)
            {
                take(match.range.upperBound, String(match.output))
            } else if first == "!" || first == "[",
                let match = rest.scalarPrefix(of: #/!?\[((?:\[[^\]]*\]|[^\[\]])*)\]\([^()]*\)/#)
            {
                take(match.range.upperBound, inline(match.output.1))
            } else if first == "_", !isWord(last), let match = rest.scalarPrefix(of: #/__([\s\S]+?)__(?!_)/#) {
                take(match.range.upperBound, inline(match.output.1))
            } else if first == "*", let match = rest.scalarPrefix(of: #/\*\*([\s\S]+?)\*\*(?!\*)/#) {
                take(match.range.upperBound, inline(match.output.1))
            } else if first == "*" || first == "_" && !isWord(last), let (end, content) = emphasis(rest) {
                take(end, inline(content))
            } else if first == "`", let match = rest.scalarPrefix(of: #/(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)/#) {
                take(match.range.upperBound, entitiesOfHTML(String(match.output.2)))
            } else if first == "~", let match = rest.scalarPrefix(of: #/~~(?=\S)([\s\S]*?\S)~~/#) {
                take(match.range.upperBound, inline(match.output.1))
            } else {
                out.append(first)
                last = first
                rest = rest.dropFirst()
            }
        }
        return entitiesOfHTML(out)
    }

    private static var url: some RegexComponent<Substring> {
        #/
        (?: [A-Za-z][A-Za-z0-9.+-]*:(?:\/{1,3}|[\p{L}0-9%]) | www\. )
        (?: [^\s`!()\[\]{;:'",<>?] | [`!\[\]{;:'",<>?](?=[^\s()<>]) | \((?:[^\s()<>])*\) )+
        /#
    }

    private static func emphasis(_ text: Substring) -> (Substring.Index, Substring)? {
        if let match = text.scalarPrefix(
            of: #/_([^\s_]|[^\s][\s\S]*?[^\s_]|[^\s_][\s\S]*?[^\s])_(?!_|[^\s!"\#$%&'()*+,\-.\/:;<=>?@\\\[^_{|}~])/#)
        {
            return (match.range.upperBound, match.output.1)
        }
        if let match = text.scalarPrefix(
            of: #/\*([^\s*"<]|[^\s"<][\s\S]*?[^\s*]|[^\s*"<][\s\S]*?[^\s])\*(?!\*)/#)
        {
            return (match.range.upperBound, match.output.1)
        }
        return nil
    }

    private static func entitiesOfHTML(_ text: String) -> String {
        var text = text
        for (entity, sign) in [("&#64;", "@"), ("&commat;", "@"), ("&lt;", "<"), ("&amp;", "&"), ("&gt;", ">")] {
            text.replace(entity, with: sign)
        }
        return text
    }
}

extension Substring {
    /// What a regular expression finds at the beginning, by code point.
    fileprivate func scalarPrefix<Output>(of regex: some RegexComponent<Output>) -> Regex<Output>.Match? {
        prefixMatch(of: regex.regex.matchingSemantics(.unicodeScalar))
    }

    fileprivate var nonEmpty: Substring? { isEmpty ? nil : self }
}
