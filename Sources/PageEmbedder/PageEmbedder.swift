import Glibc

/// Writes one Swift source with the files of the web page as string literals, each with its SHA-256, or one with the
/// API's document.
///
///     PageEmbedder FOLDER OUTPUT
///     PageEmbedder --document FILE OUTPUT
///
/// The build runs it (Plugins/EmbedPageFiles). It imports no package, so that it builds in a second.
@main struct PageEmbedder {
    /// A file of the page.
    private struct File {
        var path: String
        var text: String
        var hash: String { SHA256.hex(Array(text.utf8)) }
    }

    static func main() {
        let arguments = CommandLine.arguments
        if arguments.count == 4, arguments[1] == "--document" {
            return write(document(text(of: arguments[2], named: arguments[2])), to: arguments[3])
        }
        guard arguments.count == 3 else { fail("usage: PageEmbedder FOLDER OUTPUT, or --document FILE OUTPUT") }
        let (folder, output) = (arguments[1], arguments[2])
        var files = paths(under: folder, prefix: "").sorted().map { path in
            File(path: path, text: text(of: folder + "/" + path, named: path))
        }
        let release = release(of: files)
        for index in files.indices where files[index].path == "index.html" {
            files[index].text = filled(files[index].text, release: release, files: files)
        }
        write(source(files, release: release), to: output)
    }

    /// The name of this set of files in addresses: it changes with every change of a path or a text.
    private static func release(of files: [File]) -> String {
        let lines = files.map { "\($0.path) \($0.hash)\n" }.joined()
        return String(SHA256.hex(Array(lines.utf8)).prefix(16))
    }

    /// `index.html` with the release in its addresses, and a line for each module that the first screen loads.
    private static func filled(_ text: String, release: String, files: [File]) -> String {
        // In the order of use: the first of these ask the server, while the others are on their way.
        let start = modules(from: "app.js", files)
        let modules = start + modules(from: "chat/shell.js", files).filter { !start.contains($0) }
        let lines = modules.map { "<link rel=\"modulepreload\" href=\"p/\(release)/\($0)\">" }
        return text.replacing("{{modules}}", with: lines.joined(separator: "\n"))
            .replacing("{{release}}", with: release)
    }

    /// A module and all that it imports other than by `import()`, in order of path.
    private static func modules(from start: String, _ files: [File]) -> [String] {
        var (found, open): (Set<String>, [String]) = ([start], [start])
        while let path = open.popLast() {
            guard let file = files.first(where: { $0.path == path }) else { fail("no module \(path) is there") }
            for imported in imports(of: file.text) {
                let module = resolved(imported, from: path)
                if found.insert(module).inserted { open.append(module) }
            }
        }
        return found.sorted()
    }

    /// The specifiers of a module's import and export declarations, each of which ends with `from 'PATH';`.
    private static func imports(of text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            guard line.hasSuffix("';"), let start = line.end(of: " from '") else { return nil }
            return String(line[start..<line.index(line.endIndex, offsetBy: -2)])
        }
    }

    /// A relative specifier as a path below the page's folder.
    private static func resolved(_ specifier: String, from path: String) -> String {
        var parts = path.split(separator: "/").dropLast()
        for part in specifier.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    private static func source(_ files: [File], release: String) -> String {
        var source = """
            // Written by PageEmbedder from Sources/CrowbarPage/Files. Change those files instead.

            extension PageFiles {
                static let embeddedRelease: StaticString = "\(release)"
                static let embedded: [(path: StaticString, sha256: StaticString, text: StaticString)] = [

            """
        for file in files {
            source += "(\"\(file.path)\", \"\(file.hash)\", \(literal(file.text))),\n"
        }
        return source + "]\n}\n"
    }

    private static func document(_ text: String) -> String {
        """
        // Written by PageEmbedder from Sources/CrowbarHTTP/openapi.json. Change that file instead.

        extension OpenAPIRoute {
            static let text: StaticString = \(literal(text))
        }

        """
    }

    /// A text as a literal of several lines.
    private static func literal(_ text: String) -> String {
        // As many signs as no part of the text can end the literal with.
        var signs = "#"
        while text.contains("\"" + signs) || text.contains("\\" + signs) { signs += "#" }
        return "\(signs)\"\"\"\n\(text)\n\"\"\"\(signs)"
    }

    // MARK: Files

    private static func paths(under folder: String, prefix: String) -> [String] {
        guard let handle = opendir(folder) else { fail("cannot read the folder \(folder): error \(errno)") }
        defer { closedir(handle) }
        var paths: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(".") { continue }
            var status = stat()
            guard stat(folder + "/" + name, &status) == 0 else { fail("cannot read \(folder)/\(name): error \(errno)") }
            if status.st_mode & S_IFMT == S_IFDIR {
                paths += Self.paths(under: folder + "/" + name, prefix: prefix + name + "/")
            } else {
                paths.append(prefix + name)
            }
        }
        return paths
    }

    private static func text(of file: String, named path: String) -> String {
        let descriptor = open(file, O_RDONLY)
        guard descriptor >= 0 else { fail("cannot read \(file): error \(errno)") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            guard count >= 0 else { fail("cannot read \(file): error \(errno)") }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        // A literal of several lines has no other line breaks, and a source no NUL.
        guard !bytes.contains(0x0D), !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
            fail("\(path) must be UTF-8 with the line breaks of Unix and without NUL")
        }
        return text
    }

    private static func write(_ text: String, to path: String) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard descriptor >= 0 else { fail("cannot write \(path): error \(errno)") }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { fail("cannot write \(path): error \(errno)") }
            rest = rest.dropFirst(count)
        }
        close(descriptor)
    }

    private static func fail(_ reason: String) -> Never {
        let line = "PageEmbedder: error: \(reason)\n"
        _ = line.withCString { Glibc.write(2, $0, strlen($0)) }
        exit(1)
    }
}

extension String {
    /// The text with each occurrence of a part replaced, compared by bytes.
    fileprivate func replacing(_ part: String, with other: String) -> String {
        let (text, part) = (Array(utf8), Array(part.utf8))
        var result: [UInt8] = []
        var at = 0
        while at < text.count {
            if text.count - at >= part.count, text[at..<(at + part.count)].elementsEqual(part) {
                result += other.utf8
                at += part.count
            } else {
                result.append(text[at])
                at += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Whether a part occurs, compared by bytes.
    fileprivate func contains(_ part: String) -> Bool { utf8.count != replacing(part, with: "").utf8.count }
}

extension Substring {
    /// Where the text behind the last occurrence of a part begins.
    fileprivate func end(of part: String) -> Index? {
        var at = endIndex
        while at > startIndex {
            at = index(before: at)
            if self[at...].hasPrefix(part) { return index(at, offsetBy: part.count) }
        }
        return nil
    }
}
