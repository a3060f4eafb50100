import ArgumentParser

/// A number of bytes a second, as people write it: 500000, 500kB, 20MB, 1.5GB.
struct ByteRate: ExpressibleByArgument, Equatable {
    /// Bytes a second, at least 1.
    let bytesPerSecond: Int64

    /// Reads a rate; `nil` when the text is none.
    init?(argument: String) {
        let units: [(suffix: String, factor: Double)] = [
            ("kB", 1e3), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("B", 1), ("", 1),
        ]
        for unit in units where argument.hasSuffix(unit.suffix) {
            let digits = argument.dropLast(unit.suffix.count)
            let isPlain = !digits.isEmpty && digits.utf8.allSatisfy { (48...57).contains($0) || $0 == 46 }
            guard isPlain, let value = Double(digits), let bytes = Int64(exactly: (value * unit.factor).rounded()),
                bytes >= 1
            else { return nil }
            bytesPerSecond = bytes
            return
        }
        return nil
    }
}
