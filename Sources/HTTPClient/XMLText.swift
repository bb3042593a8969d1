/// As much of XML as the answers of AWS' query APIs have: elements with text, found by name.
package enum XMLText {
    /// The contents of all elements of a name, in order. An element does not contain one of its own name.
    package static func elements(_ name: String, in text: some StringProtocol) -> [String] {
        var found: [String] = []
        var rest = Substring(text)
        while let start = rest.firstRange(of: "<\(name)>") {
            rest = rest[start.upperBound...]
            guard let end = rest.firstRange(of: "</\(name)>") else { break }
            found.append(String(rest[..<end.lowerBound]))
            rest = rest[end.upperBound...]
        }
        return found
    }

    /// The text of the first element of a name, its entities resolved.
    package static func first(_ name: String, in text: some StringProtocol) -> String? {
        elements(name, in: text).first.map { text in
            var text = text
            for (entity, character) in [
                ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&"),
            ] { text.replace(entity, with: character) }
            return text
        }
    }
}
