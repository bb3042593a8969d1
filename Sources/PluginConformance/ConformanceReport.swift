import JSONBytes
import PluginHost

/// What a run of the kit found, by rule.
public struct ConformanceReport: Sendable {
    /// What became of a rule.
    public enum Verdict: Sendable, Equatable {
        /// It was put to the test, and nothing was found.
        case passed
        /// It was broken.
        case failed
        /// It was not put to the test, for this reason.
        case notVerified(String)
    }

    /// A finding with the scenario in which it was made.
    public struct Located: Sendable, Equatable {
        /// The scenario.
        public var scenario: String
        /// The finding.
        public var finding: Finding
    }

    /// The plugin.
    public var plugin: String
    /// What the chaos was drawn from.
    public var seed: UInt64
    /// How long the run took.
    public var milliseconds: Int64 = 0
    /// All findings, in order.
    public internal(set) var findings: [Located] = []
    /// Rules that were put to the test.
    public internal(set) var exercised: Set<Rule> = []
    /// Why rules could not be put to the test in this run.
    public internal(set) var reasons: [Rule: String] = [:]

    /// Makes an empty report.
    public init(plugin: String, seed: UInt64) {
        self.plugin = plugin
        self.seed = seed
    }

    /// What became of a rule.
    public func verdict(_ rule: Rule) -> Verdict {
        if findings.contains(where: { $0.finding.rule == rule }) { return .failed }
        if let reason = rule.unverifiable { return .notVerified(reason) }
        if exercised.contains(rule) { return .passed }
        return .notVerified(reasons[rule] ?? "nothing in this run put it to the test")
    }

    /// Rules that were broken.
    public var failed: [Rule] { Rule.allCases.filter { verdict($0) == .failed } }

    /// Whether the plugin keeps to the protocol as far as the run can say.
    public var isPassed: Bool { failed.isEmpty }

    private func findings(_ rule: Rule) -> [Located] { findings.filter { $0.finding.rule == rule } }

    // MARK: For people

    /// The report as lines.
    /// - Parameter isWhole: Lists the sentences about the host too.
    public func text(isWhole: Bool) -> [String] {
        var lines: [String] = []
        var counts = (passed: 0, failed: 0, notVerified: 0)
        for rule in Rule.allCases {
            let title = "\(rule.number.padded(to: 5)) \(rule.summary)"
            switch verdict(rule) {
            case .passed:
                counts.passed += 1
                lines.append("passed        \(title)")
            case .failed:
                counts.failed += 1
                lines.append("FAILED        \(title)")
                for located in findings(rule) {
                    lines.append("              \(located.scenario): \(located.finding.reason)")
                    lines += located.finding.lines.map { "                \($0.text)" }
                }
            case .notVerified(let reason):
                counts.notVerified += 1
                if isWhole || rule.unverifiable == nil { lines.append("not verified  \(title): \(reason)") }
            }
        }
        let time = Exchange.seconds(milliseconds)
        lines.append(
            "\(plugin): \(counts.passed) passed, \(counts.failed) failed, \(counts.notVerified) not verified; "
                + "\(time) s, seed \(seed)")
        return lines
    }

    // MARK: For programs

    /// The report in the Test Anything Protocol, version 13.
    public var tap: [String] {
        var lines = ["TAP version 13", "1..\(Rule.allCases.count)"]
        for rule in Rule.allCases {
            let title = "\(rule.rawValue) - \(rule.number) \(rule.summary)"
            switch verdict(rule) {
            case .passed: lines.append("ok \(title)")
            case .notVerified(let reason): lines.append("ok \(title) # SKIP \(reason)")
            case .failed:
                lines.append("not ok \(title)")
                for located in findings(rule) {
                    lines.append("# \(located.scenario): \(located.finding.reason)")
                    lines += located.finding.lines.map { "#   \($0.text)" }
                }
            }
        }
        return lines + ["# seed \(seed)"]
    }

    /// The report as JSON.
    public var json: JSON {
        let rules = Rule.allCases.map { rule -> JSON in
            var members: [JSON.Member] = [
                .init("rule", .string(rule.number)), .init("summary", .string(rule.summary)),
            ]
            switch verdict(rule) {
            case .passed: members.append(.init("verdict", .string("passed")))
            case .failed:
                members.append(.init("verdict", .string("failed")))
                members.append(.init("findings", .array(findings(rule).map(\.json))))
            case .notVerified(let reason):
                members += [.init("verdict", .string("notVerified")), .init("reason", .string(reason))]
            }
            return .object(members)
        }
        return .object([
            .init("plugin", .string(plugin)), .init("passed", .bool(isPassed)), .init("seed", .string(String(seed))),
            .init("milliseconds", .int(milliseconds)), .init("rules", .array(rules)),
        ])
    }
}

extension ConformanceReport.Located {
    fileprivate var json: JSON {
        .object([
            .init("scenario", .string(scenario)), .init("reason", .string(finding.reason)),
            .init("lines", .array(finding.lines.map(\.json))),
        ])
    }
}

extension Exchange {
    /// As the reports have it.
    var json: JSON {
        .object([
            .init("number", .int(Int64(number))), .init("t", .int(milliseconds)),
            .init("dir", .string(direction.rawValue)), .init("line", .string(String(decoding: line, as: UTF8.self))),
        ])
    }
}

extension String {
    /// With blanks behind it, up to so many characters.
    func padded(to count: Int) -> String { self + String(repeating: " ", count: max(0, count - self.count)) }
}
