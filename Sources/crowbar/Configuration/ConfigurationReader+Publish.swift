import CrowbarViews
import HTTPClient
import JSONBytes
import Settings

// `[[views.publish]]`: where views are copied to.
extension ConfigurationReader {
    /// Targets at most.
    private static let maxTargets = 16
    /// What `every` may be, in milliseconds.
    private static let intervals: ClosedRange<Int64> = 100...3_600_000
    private static let bucketKeys = ["region", "endpoint", "credentials", "profile", "credentials_file"]

    /// Reads all targets.
    /// - Parameters:
    ///   - anonymousRead: Whether callers without a token read public channels.
    ///   - path: Makes a path of the file one from the working folder.
    func publish(
        _ root: SettingsReader, anonymousRead: Bool, path: (String) -> String
    ) throws -> [PublishTarget] {
        if environment["CROWBAR_VIEWS_PUBLISH"] != nil {
            throw variable("CROWBAR_VIEWS_PUBLISH", "a target has several keys; write [[views.publish]] in the file")
        }
        guard let views = try root.table("views") else { return [] }
        try views.refuseUnknown(knowing: ["publish"])
        let tables = try views.tables("publish") ?? []
        if tables.isEmpty { return [] }
        if tables.count > Self.maxTargets {
            throw views.error("publish", "at most \(Self.maxTargets) targets are allowed")
        }
        var targets: [PublishTarget] = []
        for table in tables {
            guard let target = try self.target(table, path) else { continue }
            if targets.contains(where: { $0.name == target.name }) {
                throw table.error("to", "another target is '\(target.name)' too; leave one of the two out")
            }
            targets.append(target)
        }
        // With an element taken away this was said before, or its own mistake was.
        if !anonymousRead, !views.isTakenAway("publish") {
            throw views.error(
                at: ["publish", "[0]"],
                "what is published is what callers without a token read; set anonymous_read = true in [auth] "
                    + "(or CROWBAR_AUTH_ANONYMOUS_READ), or remove [[views.publish]]")
        }
        return targets
    }

    /// - Returns: nil where the place was wrong and is known to be.
    private func target(_ table: SettingsReader, _ path: (String) -> String) throws -> PublishTarget? {
        try table.refuseUnknown(knowing: ["to", "views", "every"] + Self.bucketKeys)
        // First, as what is missing for a bucket takes the whole table away.
        let (views, interval) = (try self.views(table), try self.interval(table))
        if table["to"] == nil, table.isTakenAway("to") { return nil }
        guard let to = try table.string("to"), !to.isEmpty else {
            throw table.error("to", "is missing: a folder, as \"/srv/www/views\", or \"s3://BUCKET/PREFIX\"")
        }
        let destination: PublishTarget.Destination
        if let scheme = to.firstRange(of: "://") {
            guard to[..<scheme.lowerBound] == "s3" else {
                throw table.error("to", "must be a folder or \"s3://BUCKET/PREFIX\"")
            }
            destination = .bucket(try bucket(table, String(to[scheme.upperBound...]), path))
        } else {
            if to.hasPrefix("s3:") {
                throw table.error(
                    "to", "must be \"s3://BUCKET/PREFIX\", with two slashes; a folder of that name is \"./\(to)\"")
            }
            for key in Self.bucketKeys where table[key] != nil {
                throw table.error(key, "is for \"s3://…\" only; leave it out")
            }
            destination = .folder(path(to))
        }
        return PublishTarget(destination, views: views, every: interval)
    }

    private func views(_ table: SettingsReader) throws -> Set<PublishTarget.View> {
        guard let names = try table.strings("views") else { return PublishTarget.usualViews }
        let known = PublishTarget.View.allCases.map(\.rawValue)
        var views: Set<PublishTarget.View> = []
        for (index, name) in names.enumerated() {
            guard let view = PublishTarget.View(rawValue: name) else {
                let isPrivate = ["allusers", "search", "unread"].contains(name)
                let hint = NearestName.to(name, among: known).map { "; did you mean \"\($0)\"?" } ?? ""
                throw table.error(
                    at: ["views", "[\(index)]"],
                    isPrivate
                        ? "'\(name)' is never published, as it needs a token"
                        : "must be one of \(known.map { "\"\($0)\"" }.joined(separator: ", "))\(hint)")
            }
            views.insert(view)
        }
        if views.isEmpty, table.isTakenAway("views") { return PublishTarget.usualViews }
        if views.isEmpty { throw table.error("views", "must name at least one view; leave it out for the usual ones") }
        return views
    }

    private func interval(_ table: SettingsReader) throws -> Int64 {
        guard let text = try table.string("every") else { return PublishTarget.usualInterval }
        let units: [(String, Int64)] = [("ms", 1), ("s", 1_000), ("m", 60_000)]
        guard let (unit, factor) = units.first(where: { text.hasSuffix($0.0) }),
            let number = Int64(text.dropLast(unit.count)), text.first?.isNumber == true,
            number <= Self.intervals.upperBound, Self.intervals.contains(number * factor)
        else { throw table.error("every", "must be a time from \"100ms\" to \"60m\", as \"1s\"") }
        return number * factor
    }

    private func bucket(_ table: SettingsReader, _ text: String, _ path: (String) -> String) throws -> Bucket {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let name = parts[0]
        guard Self.isBucket(name) else {
            throw table.error(
                "to", "'\(name.prefix(64))' is no name of a bucket: 3 to 63 of a-z 0-9 . -, as \"s3://chat-views/live\""
            )
        }
        var prefix = parts.count > 1 ? parts[1] : ""
        if prefix.hasSuffix("/") { prefix.removeLast() }
        guard prefix.isEmpty || Self.isPrefix(prefix) else {
            throw table.error(
                "to", "a prefix has up to 512 of A-Z a-z 0-9 . _ ~ - in parts between single slashes, as \"live/views\""
            )
        }
        guard let region = try table.string("region") ?? (table.isTakenAway("region") ? "us-east-1" : nil) else {
            throw table.error("region", "is missing; give the bucket's region, as region = \"eu-west-1\"")
        }
        guard (1...32).contains(region.utf8.count), region.utf8.allSatisfy({ Self.isLower($0) || $0 == 0x2D }) else {
            throw table.error("region", "must be the name of a region, as \"eu-west-1\"")
        }
        return Bucket(
            name: name, prefix: prefix, region: region, endpoint: try endpoint(table),
            credentials: try credentials(table, path))
    }

    private func endpoint(_ table: SettingsReader) throws -> ServiceEndpoint? {
        guard let text = try table.string("endpoint") else { return nil }
        guard let endpoint = ServiceEndpoint(text) else {
            throw table.error("endpoint", "must be http or https, a host and a port, as \"http://127.0.0.1:5000\"")
        }
        guard AddressFilter.endpoint(isNamed: true).allows(host: endpoint.host) else {
            throw table.error("endpoint", "'\(endpoint.host)' is an address that no store can have; give another one")
        }
        return endpoint
    }

    private func credentials(_ table: SettingsReader, _ path: (String) -> String) throws -> CredentialSettings {
        let kind = try table.string("credentials", oneOf: ["environment", "file", "container"])
        let (profile, file) = (try table.string("profile"), try table.string("credentials_file"))
        if let kind, kind != "file" {
            for key in ["profile", "credentials_file"] where table[key] != nil {
                throw table.error(key, "is of no use with credentials = \"\(kind)\"; leave it out")
            }
        }
        return CredentialSettings(kind: kind, profile: profile, file: file.map(path))
    }

    private static func isBucket(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return (3...63).contains(bytes.count) && bytes.allSatisfy { isLower($0) || $0 == 0x2D || $0 == 0x2E }
            && isLower(bytes[0]) && isLower(bytes[bytes.count - 1]) && !name.contains("..")
    }

    private static func isPrefix(_ prefix: String) -> Bool {
        prefix.utf8.count <= 512
            && prefix.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
                !part.isEmpty && part != "." && part != ".."
                    && part.utf8.allSatisfy {
                        isLower($0) || (0x41...0x5A).contains($0) || [0x2D, 0x2E, 0x5F, 0x7E].contains($0)
                    }
            }
    }

    private static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) }
}
