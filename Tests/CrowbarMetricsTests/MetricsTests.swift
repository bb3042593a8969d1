import CrowbarMetrics
import Testing

private enum Fruit: Int, MetricLabel {
    case apple, pear

    var text: String { self == .apple ? "apple" : "pear" }
}

@Suite struct MetricsTests {
    private static func lines(_ report: MetricsReport, _ name: String) -> [String] {
        String(decoding: report.text, as: UTF8.self).split(separator: "\n").map(String.init)
            .filter { $0.hasPrefix(name) }
    }

    @Test func everyFamilyHasHelpAndTypeWithoutValues() {
        let text = String(decoding: MetricsReport().text, as: UTF8.self)
        for family in MetricFamily.allCases {
            #expect(text.contains("# HELP \(family.rawValue) "))
            #expect(text.contains("# TYPE \(family.rawValue) \(family.kind.rawValue)\n"))
            #expect(family.help.hasSuffix(".") && !family.help.contains("\n"))
        }
    }

    @Test(arguments: [
        (0.0, "0"), (1, "1"), (-3, "-3"), (0.25, "0.25"), (1e14, "100000000000000"), (1.5e300, "1.5e+300"),
        (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
    ])
    func numbersAreWritten(value: Double, text: String) {
        var report = MetricsReport()
        report.add(.logPosition, value: value)
        #expect(Self.lines(report, "crowbar_log_position") == ["crowbar_log_position \(text)"])
    }

    @Test func labelsAreEscaped() {
        var report = MetricsReport()
        report.add(.buildInfo, "a\"b\\c\nd", count: 1)
        #expect(Self.lines(report, "crowbar_build_info") == [#"crowbar_build_info{version="a\"b\\c\nd"} 1"#])
    }

    @Test func countersOfALabelAreWrittenInItsOrder() {
        let counters = LabelledCounters<Fruit>()
        counters.add(.pear)
        counters.add(.pear, 3)
        #expect(counters[.apple] == 0 && counters[.pear] == 4)
        var report = MetricsReport()
        report.add(.deliveries, "basket", counts: counters)
        #expect(
            Self.lines(report, "crowbar_deliveries_total") == [
                #"crowbar_deliveries_total{plugin="basket",outcome="apple"} 0"#,
                #"crowbar_deliveries_total{plugin="basket",outcome="pear"} 4"#,
            ])
    }

    @Test func aStateIsOneOfSeveral() {
        var report = MetricsReport()
        report.add(.viewState, "users", state: "current", of: ["behind", "current"])
        #expect(
            Self.lines(report, "crowbar_view_state") == [
                #"crowbar_view_state{view="users",state="behind"} 0"#,
                #"crowbar_view_state{view="users",state="current"} 1"#,
            ])
    }

    @Test func aHistogramCountsUpToItsBounds() {
        let histogram = Histogram()
        for nanoseconds: UInt64 in [0, 100_000, 100_001, 3_000_000, 60_000_000_000] {
            histogram.record(nanoseconds: nanoseconds)
        }
        let snapshot = histogram.snapshot
        #expect(snapshot.bounds.first == 0.0001 && snapshot.bounds.last == 10)
        #expect(snapshot.bounds == snapshot.bounds.sorted())
        #expect(snapshot.cumulative.count == snapshot.bounds.count + 1)
        #expect(snapshot.cumulative.prefix(2) == [2, 3])
        #expect(snapshot.cumulative.suffix(2) == [4, 5])
        #expect(abs(snapshot.sum - 60.003200001) < 1e-9)
        var report = MetricsReport()
        report.add(.appendSeconds, durations: snapshot)
        let lines = Self.lines(report, "crowbar_append_seconds")
        #expect(lines.first == #"crowbar_append_seconds_bucket{le="0.0001"} 2"#)
        #expect(lines.contains(#"crowbar_append_seconds_bucket{le="+Inf"} 5"#))
        #expect(lines.last == "crowbar_append_seconds_count 5")
    }

    @Test func countersAreSharedByThreads() async {
        let (counter, histogram) = (Counter(), Histogram())
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<10_000 {
                        counter.add()
                        histogram.record(nanoseconds: 1)
                    }
                }
            }
        }
        #expect(counter.value == 80_000)
        #expect(histogram.snapshot.count == 80_000)
    }

    @Test func whatIsGoneIsKeptForAWhile() {
        var retained = Retained<String, Int>(lifetime: 600)
        #expect(retained.update(["a": 1, "b": 1], now: 0) == ["a": 1, "b": 1])
        #expect(retained.update(["a": 2], now: 600) == ["a": 2, "b": 1])
        #expect(retained.update(["a": 3], now: 601) == ["a": 3])
        #expect(retained.update([:], now: 1_201) == ["a": 3])
        #expect(retained.update([:], now: 1_202) == [:])
    }

    @Test func whatIsGoneHasALimitAndTheOldestIsForgottenFirst() {
        var retained = Retained<Int, Int>(lifetime: 600, most: 2)
        for key in 1...5 { _ = retained.update([key: key], now: Int64(key)) }
        #expect(retained.update([6: 6, 7: 7, 8: 8], now: 6) == [4: 4, 5: 5, 6: 6, 7: 7, 8: 8])
    }
}
