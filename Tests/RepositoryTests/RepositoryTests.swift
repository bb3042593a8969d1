import Foundation
import Testing

/// The tree as it stands, read from the folder that holds Package.swift.
private enum Repository {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    static func files(under folder: String, endingIn suffix: String) -> [String] {
        let base = root.appending(path: folder)
        let found = FileManager.default.enumerator(atPath: base.path) ?? .init()
        return found.compactMap { $0 as? String }.filter { $0.hasSuffix(suffix) }.map { "\(folder)/\($0)" }.sorted()
    }

    /// The modules a Swift file imports.
    static func imports(_ path: String) throws -> Set<String> {
        let importLine = /^(?:@\w+(?:\([^)]*\))? +|public +|internal +)*import +(?:struct |class |enum |func )?(\w+)/
        var modules: Set<String> = []
        for line in try text(path).split(separator: "\n") {
            guard let match = line.firstMatch(of: importLine)
            else { continue }
            modules.insert(String(match.1))
        }
        return modules
    }
}

/// What each target may import besides the standard library's modules. A row of ARCHITECTURE.md, made checkable.
private let allowed: [String: Set<String>] = [
    "JSONBytes": [],
    "Basics": [],
    "ChatMarkdown": [],
    "CrowbarMetrics": [],
    "CrowbarCore": ["ChatMarkdown", "JSONBytes", "Logging", "CrowbarMetrics"],
    "CrowbarSQLite": ["CrowbarCore", "JSONBytes", "Logging", "GRDB", "GRDBSQLite", "SQLite3"],
    "CrowbarViews": [
        "CrowbarCore", "CrowbarSQLite", "HTTPClient", "OpenSSL", "JSONBytes", "Logging", "CrowbarMetrics", "GRDB",
        "Dispatch", "Foundation",
    ],
    "Settings": ["JSONBytes", "TOMLKit"],
    "PluginWire": ["JSONBytes"],
    "PluginKit": ["PluginWire", "JSONBytes"],
    "PluginHost": [
        "CrowbarCore", "PluginWire", "Settings", "JSONBytes", "Logging", "CrowbarMetrics", "DequeModule", "Subprocess",
        "SystemPackage", "Dispatch", "CSpawn",
    ],
    "PluginConformance": ["CrowbarCore", "PluginHost", "PluginWire", "JSONBytes"],
    "OpenSSL": ["COpenSSL", "NIOCore", "NIOPosix"],
    "HTTPClient": ["Basics", "JSONBytes", "CCurl", "OpenSSL", "Dispatch"],
    "Plugins/IRCBridge": [
        "PluginKit", "PluginWire", "Basics", "ChatMarkdown", "JSONBytes", "OpenSSL", "DequeModule", "NIOCore",
        "NIOPosix", "NIOSOCKS",
    ],
    "PluginHTTP": [
        "PluginKit", "PluginWire", "Basics", "HTTPClient", "JSONBytes", "CCurl", "OpenSSL", "DequeModule",
    ],
    "Plugins/Webhook": [
        "PluginHTTP", "PluginKit", "PluginWire", "Basics", "HTTPClient", "ChatMarkdown", "JSONBytes", "CCurl",
        "OpenSSL",
    ],
    "Plugins/AWS": ["PluginHTTP", "PluginKit", "PluginWire", "Basics", "HTTPClient", "JSONBytes"],
    "Identity": ["CrowbarCore", "JSONBytes", "OpenSSL", "Dispatch"],
    "OpenID": ["CrowbarCore", "HTTPClient", "Identity", "JSONBytes", "OpenSSL", "Logging"],
    "CrowbarPage": [],
    "PageEmbedder": [],
    "CrowbarHTTP": [
        "CrowbarCore", "CrowbarPage", "CrowbarViews", "Identity", "JSONBytes", "CrowbarMetrics", "OpenID", "OpenSSL",
        "Logging",
        "Hummingbird",
        "HummingbirdCore",
        "HTTPTypes", "NIOHTTPTypes", "ServiceLifecycle", "NIOCore", "NIOHTTP1", "NIOPosix",
    ],
    "CrowbarTesting": ["CrowbarCore", "PluginWire", "JSONBytes", "Logging", "Foundation"],
]
private let standard: Set<String> = ["Swift", "Glibc", "Synchronization", "FoundationEssentials"]

@Test(arguments: allowed.keys.sorted()) func aTargetImportsOnlyWhatTheArchitectureAllows(target: String) throws {
    let files = Repository.files(under: "Sources/\(target)", endingIn: ".swift")
    #expect(!files.isEmpty, "no sources under Sources/\(target)")
    let permitted = allowed[target, default: []].union(standard)
    for file in files {
        let beyond = try Repository.imports(file).subtracting(permitted)
        #expect(beyond.isEmpty, "\(file) imports \(beyond.sorted())")
    }
}

/// What gives out events takes what the caller may read: only `ReadableLog` reads, and it asks for an `Access`.
@Test func noRouteReadsTheLogPastTheRights() throws {
    let reading = /\blog\s*\.\s*(?:read|recent|tally|readRights)\s*\(/
    let files = Repository.files(under: "Sources/CrowbarHTTP", endingIn: ".swift")
    for file in files {
        #expect(try Repository.text(file).firstMatch(of: reading) == nil, "\(file) reads events without an Access")
    }
    let holders = try files.filter { try Repository.text($0).contains("any EventLog") }
    #expect(holders == ["Sources/CrowbarHTTP/APIConfiguration.swift"])
}

@Test func filesAndLinesAreShort() throws {
    let files = ["Sources", "Tests", "Benchmarks"].flatMap { Repository.files(under: $0, endingIn: ".swift") }
    #expect(files.count > 50)
    for file in files {
        let lines = try Repository.text(file).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 501, "\(file) has \(lines.count - 1) lines; at most 500")
        for (index, line) in lines.enumerated() where line.count > 120 {
            Issue.record("\(file):\(index + 1) has \(line.count) characters; at most 120")
        }
    }
}

/// Functions of more than 70 lines that are older than the rule. A file leaves the list once they are split.
private let filesWithLongFunctions: Set<String> = [
    "Sources/CrowbarCore/Decision.swift", "Sources/CrowbarHTTP/APIResponder.swift",
    "Sources/CrowbarHTTP/AdminRoutes.swift", "Sources/Plugins/IRCBridge/Relay/Relay+Messages.swift",
]

@Test func functionsAreShort() throws {
    let declaration = /^( *)(?:@\w+(?:\(.*\))? )*(?:[a-z]+(?:\(set\))? )*(?:func\b|init[(?<])/
    for file in Repository.files(under: "Sources", endingIn: ".swift") where !filesWithLongFunctions.contains(file) {
        let lines = try Repository.text(file).split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            guard line.contains("func ") || line.contains("init"), !line.hasSuffix("}"),
                let match = line.firstMatch(of: declaration)
            else { continue }
            // The next brace at the declaration's own depth ends it; a requirement of a protocol has none of its own.
            let end = "\(match.1)}"
            let rest = lines[(index + 1)...].prefix(while: {
                $0.isEmpty || $0.hasPrefix("\(match.1) ") || $0.hasPrefix("\(match.1))")
            })
            guard index + 1 + rest.count < lines.count, lines[index + 1 + rest.count] == end else { continue }
            #expect(rest.count + 2 <= 70, "\(file):\(index + 1) has a function of \(rest.count + 2) lines; at most 70")
        }
    }
}

/// The names of PluginHost's types before they were renamed (docs/decisions/0132-plugin-host-folders.md).
@Test func oldNamesOfThePluginHostOccurNowhere() throws {
    let names =
        #/
        \b(?:Course|PluginRuntime|SessionBoard|Bell|Outgoing|CommandDesk|CheckDesk|Strand|MachineAbility
        |FolderChange)\b
        /#
    for folder in ["Sources", "Tests/PluginHostTests"] {
        for file in Repository.files(under: folder, endingIn: ".swift") {
            let found = try Repository.text(file).firstMatch(of: names)
            #expect(found == nil, "\(file) says '\(found.map { String($0.0) } ?? "")'")
        }
    }
}

@Test func everyPathThatTheDocumentsNameExists() throws {
    let documents = ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md"]
    let pattern = /`((?:Sources|Tests|script|docs|plugins\.d|Benchmarks|examples|\.ci)\/[A-Za-z0-9_.+\/-]*)`/
    var named = 0
    for document in documents {
        for match in try Repository.text(document).matches(of: pattern) {
            named += 1
            let path = Repository.root.appending(path: String(match.1)).path
            #expect(FileManager.default.fileExists(atPath: path), "\(document) names \(match.1), which does not exist")
        }
    }
    #expect(named > 10)
}

/// docs/configuration.md has every key that the readers of crowbar.toml and of manifests know, and every variable.
@Test func everyKeyOfTheConfigurationIsDocumented() throws {
    let parts = try Repository.text("docs/configuration.md").split(separator: "\n## ").map(String.init)
    let file = try #require(parts.first { $0.hasPrefix("crowbar.toml\n") })
    let manifests = try #require(parts.first { $0.hasPrefix("Manifests\n") })
    let lists = /(?:knowing: |[kK]eys = )\[([^\]]*)\]/
    let word = /"([a-z_]+)"/
    func check(_ path: String, in part: String) throws -> Int {
        var count = 0
        for list in try Repository.text(path).matches(of: lists) {
            for match in String(list.1).matches(of: word) {
                let key = String(match.1)
                let isThere = ["`\(key)`", "[\(key)]", ".\(key)]"].contains { part.contains($0) }
                #expect(isThere, "docs/configuration.md lacks '\(key)', which \(path) knows")
                count += 1
            }
        }
        return count
    }
    let folder = "Sources/crowbar/Configuration"
    var known = 0
    for path in Repository.files(under: folder, endingIn: ".swift") { known += try check(path, in: file) }
    #expect(known > 40)
    #expect(try check("Sources/PluginHost/Manifest/ManifestReader.swift", in: manifests) > 40)
    // These two are put together from words.
    for call in try Repository.text("\(folder)/LimitSettings.swift").matches(of: /static let \w+ = "([a-z]+)"/) {
        for key in ["\(call.1)_per_second", "\(call.1)_burst"] {
            #expect(file.contains("`\(key)`"), "docs/configuration.md lacks '\(key)'")
            #expect(file.contains("`CROWBAR_LIMITS_\(key.uppercased())`"), "docs/configuration.md lacks \(key)")
        }
    }
    for path in Repository.files(under: folder, endingIn: ".swift") {
        for match in try Repository.text(path).matches(of: /"(CROWBAR_[A-Z_]+[A-Z])"/) {
            #expect(file.contains("`\(match.1)`"), "docs/configuration.md lacks \(match.1)")
        }
    }
}

/// docs/README.md lists every page, and what it and README.md link to exists.
@Test func theIndexOfTheDocumentationIsComplete() throws {
    let index = try Repository.text("docs/README.md")
    let pages = Repository.files(under: "docs", endingIn: ".md").filter { !$0.hasPrefix("docs/decisions/") }
    #expect(pages.count > 20)
    for page in pages where page != "docs/README.md" {
        #expect(index.contains("](\(page.dropFirst("docs/".count)))"), "docs/README.md does not list \(page)")
    }
    #expect(try Repository.text("README.md").split(separator: "\n", omittingEmptySubsequences: false).count <= 121)
    for (document, folder) in [("README.md", ""), ("docs/README.md", "docs/")] {
        for match in try Repository.text(document).matches(of: /\]\(([A-Za-z0-9_.\/-]+)/) {
            let path = Repository.root.appending(path: folder + String(match.1)).path
            let isThere = FileManager.default.fileExists(atPath: path)
            #expect(isThere, "\(document) links to \(match.1), which does not exist")
        }
    }
}

/// docs/decisions/README.md has a line for each decision.
@Test func theIndexOfTheDecisionsIsComplete() throws {
    let folder = "docs/decisions/"
    let index = try Repository.text("\(folder)README.md")
    let pages = Repository.files(under: "docs/decisions", endingIn: ".md").filter { $0 != "\(folder)README.md" }
    #expect(pages.count > 100)
    for page in pages {
        #expect(index.contains("](\(page.dropFirst(folder.count)))"), "\(folder)README.md does not list \(page)")
    }
    for match in index.matches(of: /\]\((\d[A-Za-z0-9-]*\.md)\)/) {
        #expect(pages.contains("\(folder)\(match.1)"), "\(folder)README.md links to \(match.1), which does not exist")
    }
}

@Test func everyTargetStandsInTheArchitecture() throws {
    let architecture = try Repository.text("ARCHITECTURE.md")
    let folders = try FileManager.default.contentsOfDirectory(atPath: Repository.root.appending(path: "Sources").path)
    for folder in folders where folder != "Plugins" {
        #expect(architecture.contains("`\(folder)`"), "ARCHITECTURE.md does not name Sources/\(folder)")
    }
}

@Test func whatSwitchesOffCheckingIsExplained() throws {
    let words = ["@unchecked Sendable", "fatalError(", "try!", "unowned(unsafe)", "nonisolated(unsafe)"]
    for file in Repository.files(under: "Sources", endingIn: ".swift") {
        let lines = try Repository.text(file).split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where words.contains(where: { line.contains($0) }) {
            if line.trimmingCharacters(in: .whitespaces).hasPrefix("//") { continue }
            let before = lines[max(0, index - 4)..<index]
            #expect(before.contains { $0.contains("//") }, "\(file):\(index + 1) says '\(line)' without saying why")
        }
    }
}
