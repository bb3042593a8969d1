import ArgumentParser
import CrowbarCore
import CrowbarHTTP
import CrowbarSQLite
import CrowbarViews
import JSONBytes
import NIOHTTP1

/// `crowbar user …`.
struct User: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Local accounts.",
        subcommands: [
            Add.self, List.self, Show.self, Role.self, Disable.self, Enable.self, Reset.self, Logout.self, Link.self,
            EraseUser.self,
        ])

    /// `crowbar user add NAME`.
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Register a user; works without a running server too.",
            discussion: "The user's id is the name. 'crowbar token NAME' then makes a token for the API.")

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "The user's name: A-Z a-z 0-9 . _ : ~ - and at most 128 of them.") var name: String
        @Flag(help: "The user may act for others and do what only creators and authors may.") var admin = false
        @Option(help: .init("Not supported by this version yet.", visibility: .hidden)) var passwordFile: String?

        func run() async throws {
            if passwordFile != nil {
                throw WrongUsage(
                    "--password-file is not supported by this version yet; leave it out and use 'crowbar token'")
            }
            guard Identifier.isEvent(name) else {
                throw WrongUsage("'\(name)' is no user's name: 1 to 128 of A-Z a-z 0-9 . _ : ~ -")
            }
            var json = JSONWriter()
            json.beginObject()
            json.member("name", name)
            json.member("admin", admin)
            json.endObject()
            _ = try await AccountCaller(settings).call(.POST, "users", body: json.bytes) { stores in
                try await stores.withIngest { try await stores.accountActions($0).addUser(name, admin) }
                return Array("{}".utf8)
            }
        }
    }
}

/// Asks a running server about accounts, or opens the data folder under its lock where none runs.
struct AccountCaller {
    let configuration: Configuration
    private let client: ControlClient

    init(_ settings: ConfigurationOption) throws {
        configuration = try settings.load()
        client = ControlClient(folder: configuration.data)
    }

    /// Where views are published.
    var published: [PublishTarget] { configuration.publish }

    /// Whether a server is asked.
    var isServerRunning: Bool { get async { await client.isServerRunning() } }

    /// - Parameters:
    ///   - method: GET only reads, so that nothing is upgraded for it.
    ///   - path: What follows `/api/admin/`.
    ///   - offline: Does the same to the stores.
    /// - Returns: The answer, which is JSON.
    /// - Throws: ``Refusal``.
    func call(
        _ method: HTTPMethod, _ path: String, body: [UInt8]? = nil, offline: (Stores) async throws -> [UInt8]
    ) async throws -> [UInt8] {
        if await client.isServerRunning() {
            let answer = try await client.request(method, "/api/admin/" + path, body: body)
            if let refusal = answer.refusal { throw Refusal(refusal.message) }
            return answer.body
        }
        let stores = try Stores(configuration, for: method == .GET ? .reading : .changing)
        do { return try await offline(stores) } catch let error as CommandError {
            throw Refusal(error.message)
        } catch let failure as ActionFailure {
            throw Refusal("\(failure)")
        }
    }

    /// Invites and links on the stores, where no server runs.
    func access(_ stores: Stores) -> AccessActions {
        stores.accessActions(nil, configuration.auth, PublicAddress(configuration))
    }

    /// All pages of a listing.
    /// - Parameters:
    ///   - path: What follows `/api/admin/`, with a `?` and maybe parameters.
    ///   - key: The member of an element behind which the next page starts.
    ///   - offline: Gives the page behind such a member.
    func pages(
        _ path: String, key: String, offline: @Sendable (Stores, _ after: String?) async throws -> [UInt8]
    ) async throws -> [JSON] {
        var (all, after): ([JSON], String?) = ([], nil)
        while true {
            let parameter = after.map { "&after=" + Listing.escape($0) } ?? ""
            let bytes = try await call(.GET, path + parameter) { [after] stores in try await offline(stores, after) }
            guard let page = (try? JSON(parsing: bytes))?.array else {
                throw Refusal("the server's answer is not a list")
            }
            all += page
            guard page.count >= Self.page, let last = page.last?[key]?.string else { return all }
            after = last
        }
    }

    /// The elements of a page, as server and stores give them where nothing else is asked for.
    private static let page = 1_000
}

/// A listing for people or as JSON.
enum AccountTable {
    /// Prints JSON as one line, or a table.
    static func print(_ elements: [JSON], json: Bool, header: [String], row: (JSON) -> [String]) {
        if json { return StandardStream.output.write(JSON.array(elements).bytes + [0x0A]) }
        let table = [header] + elements.map(row)
        let widths = header.indices.map { column in table.map { $0[column].count }.max() ?? 0 }
        for row in table {
            var line = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
                .joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            StandardStream.output.write(line: line)
        }
    }

    /// A text or number of an element; `-` where there is none.
    static func cell(_ value: JSON?) -> String { value?.string ?? value?.int.map(String.init) ?? "-" }

    /// A time of an element.
    static func time(_ value: JSON?) -> String { value?.int.map(DisplayTime.text) ?? "-" }
}
