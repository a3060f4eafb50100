public import CoreMetrics
internal import Synchronization

/// Keeps what a process counts and measures, and writes it as Prometheus reads it: a backend of swift-metrics.
///
/// Guaranteed: the same name with the same labels is one series, whoever asks for it; counting takes no lock, measuring a
/// short one of that series alone; a name never has more than ``maxSeriesPerName`` series, so that what clients send cannot
/// fill the memory. A series beyond that, and one whose name is taken by another kind, is counted as dropped and goes nowhere.
/// Not guaranteed: that the values of different series are of one moment.
public final class MetricsRegistry: MetricsFactory, Sendable {
    /// How many series a name may have. The most that Millrace's own can come to is some 200: methods by outcomes.
    public static let maxSeriesPerName = 1_000

    private struct Family {
        let kind: MetricKind
        var series: [String: any MetricSeries] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var droppedSeries = 0
    }

    private let state = Mutex(State())

    /// An empty registry.
    public init() {}

    /// What was counted, in text format 0.0.4, and how the process itself is: memory, processor time, open files.
    ///
    /// It reads from `/proc`, so call it where that may take a moment.
    public func text() -> String {
        let (families, dropped) = state.withLock { ($0.families, $0.droppedSeries) }
        var text = MetricText()
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            text.begin(name, kind: family.kind, help: MetricCatalogue.help[name])
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                series.write(name, labels, to: &text)
            }
        }
        let dropping = "millrace_metrics_dropped_series_total"
        text.begin(dropping, kind: .counter, help: MetricCatalogue.help[dropping])
        text.line(dropping, "", "\(dropped)")
        ProcessFigures.write(to: &text)
        return text.text
    }

    private func series<Series: MetricSeries>(
        _ label: String, _ dimensions: [(String, String)], _ kind: MetricKind, _ make: () -> Series
    ) -> Series {
        let (name, labels) = (MetricText.name(label), MetricText.labels(dimensions))
        return state.withLock { state in
            var family = state.families[name] ?? Family(kind: kind)
            if let known = family.series[labels] as? Series { return known }
            let made = make()
            guard family.kind == kind, family.series.count < Self.maxSeriesPerName else {
                state.droppedSeries += 1
                return made
            }
            // Taken out first, or the dictionary would be copied for each new series.
            state.families[name] = nil
            family.series[labels] = made
            state.families[name] = family
            return made
        }
    }

    /// See `MetricsFactory`.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter) { CounterSeries() }
    }

    /// See `MetricsFactory`.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge) { GaugeSeries() }
    }

    /// See `MetricsFactory`.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        aggregate
            ? series(label, dimensions, .histogram) { HistogramSeries() }
            : series(label, dimensions, .gauge) { GaugeSeries() }
    }

    /// See `MetricsFactory`.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .histogram) { HistogramSeries() }
    }

    // A series stays until the process ends: for Prometheus one that vanishes is a process that has gone.

    /// Keeps it.
    public func destroyCounter(_ handler: any CounterHandler) {}
    /// Keeps it.
    public func destroyMeter(_ handler: any MeterHandler) {}
    /// Keeps it.
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Keeps it.
    public func destroyTimer(_ handler: any TimerHandler) {}
}
