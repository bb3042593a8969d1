import ArgumentParser
import CrowbarPage
import Glibc

/// `crowbar page …`.
struct PageVerbs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "page", abstract: "Copy the web page, to serve it from another place.", subcommands: [Export.self])

    /// `crowbar page export`.
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the web page's files into a folder for static hosting.",
            discussion: """
                Serve the folder by any web server or bucket. List the page's origin in [http] cors of the API's \
                server. An earlier export in the folder is replaced; files of its release stay for pages that are open.
                """)

        @Argument(help: "The folder; it is made if it is missing.") var folder: String
        @Option(help: "The origin of the API, as https://chat.example.org.") var api: String

        func run() throws {
            guard let origin = PageExport.origin(api) else {
                throw WrongUsage("--api must be an origin, as https://chat.example.org: no path, no query")
            }
            try Self.prepare(folder)
            let files = PageExport.files(api: origin)
            // index.html last: it names the others.
            for file in files { try Self.write(file.text, to: folder + "/" + file.path) }
            StandardStream.output.write(
                line: "\(files.count) files written to \(folder); the page calls \(origin). Set on that server: "
                    + "[http] cors = [\"https://THE-PAGE'S-ORIGIN\"]")
        }

        /// Refuses a folder with other things in it.
        private static func prepare(_ folder: String) throws {
            guard let handle = opendir(folder) else {
                if errno != ENOENT { throw Refusal("'\(folder)' cannot be read: \(String(cString: strerror(errno)))") }
                return
            }
            defer { closedir(handle) }
            while let entry = readdir(handle) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if ![".", "..", "index.html", "config.json", "p"].contains(name) {
                    throw Refusal(
                        "'\(folder)' has '\(name)' in it, which is no part of an export; name an empty folder")
                }
            }
        }

        private static func write(_ text: [UInt8], to path: String) throws {
            var folder = ""
            for part in path.split(separator: "/", omittingEmptySubsequences: false).dropLast() {
                folder += part + "/"
                mkdir(folder, 0o755)
            }
            // Renamed into place: a reader sees the old file or the new one.
            let temporary = path + ".new"
            let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            var (rest, isWritten) = (text[...], file >= 0)
            while isWritten, !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
                if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { isWritten = false }
            }
            if file >= 0, close(file) != 0 { isWritten = false }
            if isWritten, rename(temporary, path) == 0 { return }
            let reason = String(cString: strerror(errno))
            unlink(temporary)
            throw Refusal("'\(path)' cannot be written: \(reason)")
        }
    }
}

/// The web page's files for static hosting.
enum PageExport {
    /// The files with their paths, `index.html` last.
    /// - Parameter api: The origin of the API.
    static func files(api: String) -> [(path: String, text: [UInt8])] {
        var (files, index): ([(path: String, text: [UInt8])], [UInt8]) = ([], [])
        for file in PageFiles.all {
            if file.path == "index.html" {
                index = Array(withPolicy("\(file.text)", api: api).utf8)
            } else {
                let text = UnsafeBufferPointer(start: file.text.utf8Start, count: file.text.utf8CodeUnitCount)
                files.append(("p/\(PageFiles.release)/\(file.path)", Array(text)))
            }
        }
        return files + [("config.json", Array("{\"api\":\"\(api)\"}\n".utf8)), ("index.html", index)]
    }

    /// Adds the policy that `crowbar serve` sends as a header, with the API's origin. `frame-ancestors` works in a
    /// header only.
    private static func withPolicy(_ index: String, api: String) -> String {
        let policy =
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            + "connect-src 'self' \(api); base-uri 'none'; form-action 'none'"
        let charset = "<meta charset=\"utf-8\">"
        let parts = index.split(separator: charset, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return index }
        return """
            \(parts[0])\(charset)
            <meta http-equiv="Content-Security-Policy" content="\(policy)">
            <meta name="referrer" content="no-referrer">\(parts[1])
            """
    }

    /// An origin without its final slash; nil for another text. Only characters that are safe in JSON,
    /// HTML and a policy.
    static func origin(_ text: String) -> String? {
        let text = text.hasSuffix("/") ? String(text.dropLast()) : text
        guard let scheme = ["https://", "http://"].first(where: { text.hasPrefix($0) }) else { return nil }
        let host = text.dropFirst(scheme.count)
        let isSafe = host.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte)
                || [0x2D, 0x2E, 0x3A, 0x5B, 0x5D].contains(byte)
        }
        return isSafe && !host.isEmpty && host.utf8.count <= 255 ? text : nil
    }
}
