#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A receipt with the checksums of its block in front: `Base64 of four bytes each`, a `:`, and the provider's own.
struct CheckedReceipt: CustomStringConvertible {
    /// The CRC-32C of each piece of the block.
    let sums: [UInt32]
    /// The provider's own receipt.
    let inner: String

    /// Puts a receipt together.
    init(sums: [UInt32], inner: String) {
        self.sums = sums
        self.inner = inner
    }

    /// Reads a receipt; `nil` when it is of another form.
    init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let padding = String(repeating: "=", count: (4 - parts[0].utf8.count % 4) % 4)
        guard let bytes = Data(base64Encoded: parts[0] + padding), bytes.count % 4 == 0 else { return nil }
        let all = Array(bytes)
        sums = stride(from: 0, to: all.count, by: 4).map { start in
            all[start..<(start + 4)].reduce(0) { $0 << 8 | UInt32($1) }
        }
        inner = String(parts[1])
    }

    /// The receipt as text.
    var description: String {
        let bytes = sums.flatMap { sum in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: sum >> $0) } }
        return "\(Data(bytes).base64EncodedString().filter { $0 != "=" }):\(inner)"
    }
}
