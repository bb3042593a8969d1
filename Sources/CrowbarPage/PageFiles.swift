/// A file of the web page, as it is served.
public struct PageFile: Sendable {
    /// Its path below the page's folder, as `index.html` or `chat/composer.js`.
    public let path: String
    /// The SHA-256 of its bytes as 64 hexadecimal digits.
    public let sha256: String
    /// Its text. UTF-8, in the binary's constant data.
    public let text: StaticString
}

/// The files of the web page. The build embeds `Sources/CrowbarPage/Files`
/// (docs/decisions/0114-the-page-is-in-the-binary.md).
public enum PageFiles {
    /// 16 hexadecimal digits that change with every change of a file: addresses with them may be cached forever.
    public static let release = "\(embeddedRelease)"

    /// All files, sorted by path.
    public static let all: [PageFile] = embedded.map {
        PageFile(path: "\($0.path)", sha256: "\($0.sha256)", text: $0.text)
    }
}
