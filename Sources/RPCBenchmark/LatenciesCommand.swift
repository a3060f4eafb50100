import ArgumentParser
import Histogram
import SystemPackage

/// Puts latencies into an HdrHistogram and prints its percentiles; those of the C program as well, so that both are read
/// with the same eyes.
struct LatenciesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "latencies", abstract: "Prints the percentiles of a file of latencies, in nanoseconds.")

    @Argument(help: "What a caller has written: nanoseconds, 64 bits each, in the order of this machine.")
    var file: String

    func run() throws {
        // Three digits: what is told is at most a thousandth too much.
        var histogram = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
        for latency in try read() { histogram.record(UInt64(clamping: latency)) }
        guard histogram.totalCount > 0 else { throw ValidationError("\(file) holds no latencies.") }
        let percentile = { Double(histogram.valueAtPercentile($0)) }
        try Output.result([
            "p50": percentile(50), "p90": percentile(90), "p99": percentile(99), "p99.9": percentile(99.9),
            "max": percentile(100),
        ])
    }

    private func read() throws -> [Int64] {
        let file = try FileDescriptor.open(FilePath(file), .readOnly)
        return try file.closeAfter {
            let bytes = try file.seek(offset: 0, from: .end)
            try file.seek(offset: 0, from: .start)
            return try [Int64](unsafeUninitializedCapacity: Int(bytes) / MemoryLayout<Int64>.size) { buffer, count in
                var place = UnsafeMutableRawBufferPointer(buffer)
                while !place.isEmpty {
                    let taken = try file.read(into: place)
                    guard taken > 0 else { throw ValidationError("\(self.file) is cut short.") }
                    place = UnsafeMutableRawBufferPointer(rebasing: place[taken...])
                }
                count = buffer.count
            }
        }
    }
}
