import CoreMetrics
import Foundation
import Testing

@testable import ServiceKit

/// What is counted, as Prometheus reads it.
struct MetricsRegistryTests {
    private let registry = MetricsRegistry()

    /// The lines without those about the process itself.
    private var lines: [String] {
        registry.text().split(separator: "\n").map(String.init).filter {
            !$0.contains("process_") && !$0.contains("millrace_metrics_dropped")
        }
    }

    @Test func aCounterOnlyGrows() {
        let counter = Counter(label: "a_total", factory: registry)
        counter.increment(by: 2)
        counter.increment(by: -1)
        counter.increment()
        #expect(lines == ["# TYPE a_total counter", "a_total 3"])
    }

    @Test func theSameNameAndLabelsAreOneSeriesInWhateverOrder() {
        Counter(label: "a_total", dimensions: [("x", "1"), ("b", "2")], factory: registry).increment()
        Counter(label: "a_total", dimensions: [("b", "2"), ("x", "1")], factory: registry).increment()
        Counter(label: "a_total", dimensions: [("b", "3")], factory: registry).increment()
        #expect(lines == ["# TYPE a_total counter", #"a_total{b="2",x="1"} 2"#, #"a_total{b="3"} 1"#])
    }

    @Test func aGaugeIsWhatWasRecordedLast() {
        let gauge = Gauge(label: "a", factory: registry)
        gauge.record(7)
        gauge.record(0.25)
        let meter = Meter(label: "b", factory: registry)
        meter.increment(by: 3)
        meter.decrement(by: 1)
        #expect(lines == ["# TYPE a gauge", "a 0.25", "# TYPE b gauge", "b 2"])
    }

    @Test func aTimerIsAHistogramInSecondsWhoseBucketsAreCumulative() {
        let timer = CoreMetrics.Timer(label: "a_seconds", dimensions: [("m", "x")], factory: registry)
        // On a bound, between two, and past the last.
        for nanoseconds: Int64 in [100_000, 2_000_000, 60_000_000_000] { timer.recordNanoseconds(nanoseconds) }
        let text = lines
        #expect(text.first == "# TYPE a_seconds histogram")
        #expect(text.contains(#"a_seconds_bucket{m="x",le="0.0001"} 1"#))
        #expect(text.contains(#"a_seconds_bucket{m="x",le="0.001"} 1"#))
        #expect(text.contains(#"a_seconds_bucket{m="x",le="0.0025"} 2"#))
        #expect(text.contains(#"a_seconds_bucket{m="x",le="30"} 2"#))
        #expect(text.contains(#"a_seconds_bucket{m="x",le="+Inf"} 3"#))
        #expect(text.contains(#"a_seconds_count{m="x"} 3"#))
        #expect(text.contains(#"a_seconds_sum{m="x"} 60.0021"#))
        #expect(text.count == 1 + HistogramSeries.bounds.count + 3)
    }

    @Test func whatIsNoNameAndWhatWouldBreakALineIsEscaped() {
        Counter(label: "9 a-b", dimensions: [("c.d", "\"x\\y\nz")], factory: registry).increment()
        #expect(lines == ["# TYPE __a_b counter", #"__a_b{c_d="\"x\\y\nz"} 1"#])
    }

    @Test func aNameHoldsSoManySeriesAndTheRestIsCounted() {
        for number in 0..<(MetricsRegistry.maxSeriesPerName + 5) {
            Counter(label: "a_total", dimensions: [("n", "\(number)")], factory: registry).increment()
        }
        // Another kind under a known name has no place either.
        Gauge(label: "a_total", factory: registry).record(1)
        #expect(lines.count == 1 + MetricsRegistry.maxSeriesPerName)
        #expect(registry.text().contains("\nmillrace_metrics_dropped_series_total 6\n"))
    }

    @Test func manyAtOnceLoseNothing() async {
        let registry = registry
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1_000 {
                        Counter(label: "a_total", factory: registry).increment()
                        Meter(label: "b", factory: registry).increment()
                        CoreMetrics.Timer(label: "c_seconds", factory: registry).recordNanoseconds(1)
                    }
                }
            }
        }
        #expect(lines.contains("a_total 8000"))
        #expect(lines.contains("b 8000"))
        #expect(lines.contains("c_seconds_count 8000"))
    }

    @Test func theProcessTellsOfItself() throws {
        let text = registry.text()
        for name in [
            "process_resident_memory_bytes", "process_virtual_memory_bytes", "process_cpu_seconds_total",
            "process_open_fds", "process_max_fds", "process_start_time_seconds",
        ] {
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("\(name) ") }, "\(name)")
            #expect(try #require(Double(line.split(separator: " ")[1])) > 0, "\(name)")
            #expect(text.contains("# HELP \(name) "))
        }
        let start = try #require(
            text.split(separator: "\n").first { $0.hasPrefix("process_start_time_seconds ") }
                .flatMap { Double($0.split(separator: " ")[1]) })
        #expect(abs(start - Date().timeIntervalSince1970) < 3_600)
    }

    @Test func theNameOfAProgramMayHoldParentheses() throws {
        let line = "1 (a) b) (c) S 0 1 1 0 -1 4194560 1 2 3 4 50 25 0 0 20 0 5 0 1234 4096 7 18446744073709551615"
        let statistics = try #require(ProcessFigures.Statistics(line))
        #expect(statistics.cpuTicks == 75)
        #expect(statistics.startTicks == 1_234)
        #expect(statistics.virtualBytes == 4_096)
        #expect(statistics.residentPages == 7)
        #expect(ProcessFigures.Statistics("1 (a") == nil)
        #expect(ProcessFigures.Statistics("1 (a) S 0") == nil)
    }

    /// METRICS.md is what dashboards are made from.
    @Test func theDocumentNamesWhatIsExplained() throws {
        let file = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../Sources/ServiceKit/METRICS.md")
        let names = try String(contentsOf: file.standardizedFileURL, encoding: .utf8).split(separator: "\n")
            .filter { $0.hasPrefix("| `") }
            .compactMap { $0.split(separator: "`").dropFirst().first.map(String.init) }
        #expect(Set(names) == Set(MetricCatalogue.help.keys))
        #expect(names.count == MetricCatalogue.help.count)
        for name in names { #expect(name.hasPrefix("millrace_") || name.hasPrefix("process_"), "\(name)") }
    }
}
