import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// A request for a range, as it came over the connection, and how to tell one that differs from it in the range's numbers alone.
///
/// A player that reads a film in ranges sends the same request again and again with other numbers. Whatever was decided of the first
/// one holds for all of them, but for what follows from the numbers; so it need not be parsed again.
struct RangeRequest: Sendable {
    /// What a request asks for, if all else is the same.
    struct Numbers: Sendable, Equatable {
        /// The first byte.
        var first: Int64
        /// The last byte, not less than the first; it may lie past the end.
        var last: Int64
    }

    /// All before the numbers, and all after them.
    private let before: [UInt8]
    private let after: [UInt8]

    /// The most digits of a number that cannot be more than an `Int64` holds.
    private static let maxDigits = 18
    private static let fieldName = "\r\nrange:"
    private static let unit = Array("bytes=".utf8)

    /// Takes a request apart; `nil` unless it is whole (``isWhole(_:)``), with one range of the form `bytes=first-last`.
    init?(_ request: ByteBuffer) {
        guard Self.isWhole(request) else { return nil }
        let bytes = Array(request.readableBytesView)
        let names = bytes.places(of: Self.fieldName)
        guard names.count == 1, var start = names.first.map({ $0 + Self.fieldName.utf8.count }) else { return nil }
        while start < bytes.count, bytes[start] == UInt8(ascii: " ") { start += 1 }
        guard bytes[start...].starts(with: Self.unit) else { return nil }
        start += Self.unit.count
        guard let stop = bytes[start...].firstIndex(of: UInt8(ascii: "\r")) else { return nil }
        before = Array(bytes[..<start])
        after = Array(bytes[stop...])
        guard numbers(in: request) != nil else { return nil }
    }

    /// What a request asks for; `nil` unless it is this one with other numbers.
    func numbers(in request: ByteBuffer) -> Numbers? {
        request.withUnsafeReadableBytes { bytes in
            let end = bytes.count - after.count
            guard end > before.count, Self.has(bytes, before, at: 0), Self.has(bytes, after, at: end)
            else { return nil }
            var place = before.count
            guard let first = Self.number(bytes, &place, end), place < end, bytes[place] == UInt8(ascii: "-")
            else { return nil }
            place += 1
            guard let last = Self.number(bytes, &place, end), place == end, first <= last else { return nil }
            return Numbers(first: first, last: last)
        }
    }

    /// Whether these bytes are a GET from the first to the last byte of its head, however a parser may look at them: all lines end in
    /// CR LF, none continues another one, and the only empty one is the last.
    static func isWhole(_ request: ByteBuffer) -> Bool {
        request.withUnsafeReadableBytes { bytes in
            guard bytes.starts(with: "GET ".utf8) else { return false }
            var lineStart = 0
            for place in bytes.indices {
                let isReturn = bytes[place] == UInt8(ascii: "\r")
                guard isReturn || bytes[place] == UInt8(ascii: "\n") else {
                    if place == lineStart, bytes[place] == UInt8(ascii: " ") || bytes[place] == UInt8(ascii: "\t") {
                        return false
                    }
                    continue
                }
                if isReturn {
                    guard place + 1 < bytes.count, bytes[place + 1] == UInt8(ascii: "\n") else { return false }
                } else {
                    guard place > 0, bytes[place - 1] == UInt8(ascii: "\r") else { return false }
                    if place - 1 == lineStart { return place == bytes.count - 1 }
                    lineStart = place + 1
                }
            }
            return false
        }
    }

    private static func has(_ bytes: UnsafeRawBufferPointer, _ wanted: [UInt8], at place: Int) -> Bool {
        guard let start = bytes.baseAddress else { return false }
        return wanted.withUnsafeBytes { wanted in
            wanted.baseAddress.map { memcmp(start + place, $0, wanted.count) == 0 } ?? true
        }
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, _ place: inout Int, _ end: Int) -> Int64? {
        let start = place
        var value: Int64 = 0
        while place < end, place - start < maxDigits, case let digit = bytes[place] &- UInt8(ascii: "0"), digit < 10 {
            value = value * 10 + Int64(digit)
            place += 1
        }
        return place > start ? value : nil
    }
}
