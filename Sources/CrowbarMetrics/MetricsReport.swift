/// The values of all metrics at one moment, written as Prometheus reads them (text format 0.0.4). A pure value.
public struct MetricsReport: Sendable {
    /// What `Content-Type` says of the text.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private enum Value: Sendable {
        case number(Double)
        case durations(Histogram.Snapshot)
    }

    private var samples: [MetricFamily: [(labels: [String], value: Value)]] = [:]

    /// Makes an empty report.
    public init() {}

    /// Adds a value.
    /// - Parameter labels: One value for each of the family's labels.
    public mutating func add(_ family: MetricFamily, _ labels: String..., value: Double) {
        samples[family, default: []].append((labels, .number(value)))
    }

    /// Adds a count.
    public mutating func add(_ family: MetricFamily, _ labels: String..., count: some BinaryInteger) {
        samples[family, default: []].append((labels, .number(Double(count))))
    }

    /// Adds a histogram.
    public mutating func add(_ family: MetricFamily, _ labels: String..., durations: Histogram.Snapshot) {
        samples[family, default: []].append((labels, .durations(durations)))
    }

    /// Adds the counts of an enumerated label.
    /// - Parameter labels: The values of the labels before it.
    public mutating func add<Label>(_ family: MetricFamily, _ labels: String..., counts: LabelledCounters<Label>) {
        for (label, count) in counts.values {
            samples[family, default: []].append((labels + [label.text], .number(Double(count))))
        }
    }

    /// Adds 1 for one of several states and 0 for the others.
    public mutating func add(_ family: MetricFamily, _ label: String, state: String, of states: [String]) {
        for other in states { add(family, label, other, value: other == state ? 1 : 0) }
    }

    /// The report as text. Each family has its help and type, also one without values.
    public var text: [UInt8] {
        var text: [UInt8] = []
        for family in MetricFamily.allCases {
            text += Array("# HELP \(family.rawValue) \(Self.escaped(family.help, quotes: false))\n".utf8)
            text += Array("# TYPE \(family.rawValue) \(family.kind.rawValue)\n".utf8)
            for (labels, value) in samples[family] ?? [] {
                let pairs = zip(family.labels, labels).map { "\($0)=\"\(Self.escaped($1, quotes: true))\"" }
                switch value {
                case .number(let number): Self.write(family.rawValue, pairs, number, to: &text)
                case .durations(let durations): Self.write(family.rawValue, pairs, durations, to: &text)
                }
            }
        }
        return text
    }

    private static func write(_ name: String, _ pairs: [String], _ value: Double, to text: inout [UInt8]) {
        let labels = pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}"
        text += Array("\(name)\(labels) \(number(value))\n".utf8)
    }

    private static func write(
        _ name: String, _ pairs: [String], _ durations: Histogram.Snapshot, to text: inout [UInt8]
    ) {
        let bounds = durations.bounds.map { number($0) } + ["+Inf"]
        for (bound, count) in zip(bounds, durations.cumulative) {
            write("\(name)_bucket", pairs + ["le=\"\(bound)\""], Double(count), to: &text)
        }
        write("\(name)_sum", pairs, durations.sum, to: &text)
        write("\(name)_count", pairs, Double(durations.count), to: &text)
    }

    /// Whole numbers without a point, so that a counter reads as one.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value), abs(value) < 1e15 { return "\(whole)" }
        return "\(value)"
    }

    /// A backslash, a line's end and, in a label's value, a quote are written with a backslash before them.
    private static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}
