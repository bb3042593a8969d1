import CrowbarTesting
import Foundation
import Glibc
import JSONBytes
import Testing

/// The alerts and the dashboard, judged by promtool and by docs/metrics.md.
@Suite struct MonitoringTests {
    private static let root = String(#filePath.dropLast("Tests/DeployTests/MonitoringTests.swift".count))
    private static let alerts = root + "deploy/prometheus/alerts.yml"

    private static func text(_ path: String) throws -> String {
        try String(contentsOfFile: root + path, encoding: .utf8)
    }

    /// Runs promtool, which script/bootstrap --tests installs.
    private func promtool(_ arguments: String...) async throws {
        let process = try LineProcess("/usr/bin/env", arguments: ["promtool"] + arguments)
        process.closeInput()
        let end = try await process.end(within: .seconds(120))
        let output = process.unread.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
        #expect(end == .exited(0), "\(output)\n\(process.standardError)")
    }

    /// The names of docs/metrics.md, with the endings that histograms have.
    private static func documented() throws -> Set<String> {
        let row = /\| `((?:crowbar|process)_\w+)` \| (\w+) \|.*/
        return try text("docs/metrics.md").split(separator: "\n").reduce(into: ["up"]) { names, line in
            guard let match = line.wholeMatch(of: row) else { return }
            let name = String(match.1)
            names.formUnion(match.2 == "histogram" ? ["_bucket", "_sum", "_count"].map { name + $0 } : [name])
        }
    }

    private static func names(_ expression: String) -> Set<String> {
        Set(expression.matches(of: /\b(?:crowbar|process)_\w+/).map { String($0.0) })
    }

    @Test func theRulesAreValid() async throws { try await promtool("check", "rules", Self.alerts) }

    @Test func theRulesFireForWhatIsWrongAlone() async throws {
        var template = Array("/tmp/crowbar-alerts-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let cases = try Self.text("Tests/DeployTests/Judges/alerts_test.yml")
        try "\(cases)rule_files: ['\(Self.alerts)']\n".write(
            toFile: folder + "/test.yml", atomically: true, encoding: .utf8)
        try await promtool("test", "rules", folder + "/test.yml")
        // Each alert is among what the cases expect.
        for match in try Self.text("deploy/prometheus/alerts.yml").matches(of: /- alert: (\w+)/) {
            #expect(cases.contains("alertname=\"\(match.1)\""), "\(match.1)")
        }
    }

    @Test func alertsNameMetricsThatThereAre() throws {
        let documented = try Self.documented()
        let named = Self.names(try Self.text("deploy/prometheus/alerts.yml"))
        #expect(named.count > 12)
        #expect(named.isSubset(of: documented), "\(named.subtracting(documented))")
    }

    @Test func theDashboardShowsEveryMetric() throws {
        let documented = try Self.documented()
        let dashboard = try JSON(parsing: Array(Self.text("deploy/grafana/crowbar.json").utf8))
        let panels = try #require(dashboard["panels"]?.array)
        var named: Set<String> = []
        var ids: Set<Int64> = []
        for panel in panels {
            #expect(ids.insert(try #require(panel["id"]?.int)).inserted)
            #expect(panel["title"]?.string?.isEmpty == false)
            for target in panel["targets"]?.array ?? [] {
                named.formUnion(Self.names(try #require(target["expr"]?.string)))
            }
        }
        #expect(named.isSubset(of: documented), "\(named.subtracting(documented))")
        // Of a histogram one of its parts; of the process what is of use day by day.
        let shown = Set(
            named.map { name in
                ["_bucket", "_count"].first { name.hasSuffix($0) }.map { String(name.dropLast($0.count)) } ?? name
            })
        for name in documented where name.hasPrefix("crowbar_") && !name.hasSuffix("_sum") {
            let family =
                ["_bucket", "_count"].first { name.hasSuffix($0) }.map { String(name.dropLast($0.count)) } ?? name
            #expect(shown.contains(family), "\(family)")
        }
    }
}
