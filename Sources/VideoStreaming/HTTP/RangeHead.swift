import Domain
import NIOCore

/// The head of an answer with a range, as it was sent, in which the numbers of another range of the same object can be put.
struct RangeHead: Sendable {
    private let before: ByteBuffer
    private let between: ByteBuffer
    private let after: ByteBuffer
    /// Whether `Content-Length` comes before `Content-Range`.
    private let isLengthFirst: Bool

    /// The most bytes of three numbers and the dash between two of them.
    private static let maxNumberBytes = 64

    /// Takes a head apart; `nil` unless it has both fields, each once, with just these numbers.
    ///
    /// - Parameters:
    ///   - head: The head, from the status line to the empty line.
    ///   - range: What was sent with it.
    ///   - size: Bytes of the whole object.
    init?(_ head: ByteBuffer, range: ByteRange, size: Int64) {
        let bytes = Array(head.readableBytesView)
        guard bytes.starts(with: "HTTP/1.1 206 ".utf8), bytes.places(of: "\r\n\r\n") == [bytes.count - 4],
            let place = Self.value("\r\ncontent-range:", " bytes ", "\(range)", "/\(size)\r\n", in: bytes),
            let length = Self.value("\r\ncontent-length:", " ", "\(range.count)", "\r\n", in: bytes)
        else { return nil }
        isLengthFirst = length.lowerBound < place.lowerBound
        let (first, second) = isLengthFirst ? (length, place) : (place, length)
        before = ByteBuffer(bytes: bytes[..<first.lowerBound])
        between = ByteBuffer(bytes: bytes[first.upperBound..<second.lowerBound])
        after = ByteBuffer(bytes: bytes[second.upperBound...])
    }

    /// The same head with another range.
    func with(_ range: ByteRange, allocator: ByteBufferAllocator) -> ByteBuffer {
        var head = allocator.buffer(
            capacity: before.readableBytes + between.readableBytes + after.readableBytes + Self.maxNumberBytes)
        head.writeImmutableBuffer(before)
        if isLengthFirst { head.writeString(String(range.count)) } else { Self.write(range, to: &head) }
        head.writeImmutableBuffer(between)
        if isLengthFirst { Self.write(range, to: &head) } else { head.writeString(String(range.count)) }
        head.writeImmutableBuffer(after)
        return head
    }

    private static func write(_ range: ByteRange, to head: inout ByteBuffer) {
        head.writeString(String(range.first))
        head.writeString("-")
        head.writeString(String(range.last))
    }

    /// Where the numbers of a field are; `nil` unless the field is there once, with these numbers between these two texts.
    private static func value(
        _ field: String, _ prefix: String, _ numbers: String, _ suffix: String, in bytes: [UInt8]
    ) -> Range<Int>? {
        let places = bytes.places(of: field)
        guard places.count == 1, let place = places.first,
            bytes[(place + field.utf8.count)...].starts(with: (prefix + numbers + suffix).utf8)
        else { return nil }
        let start = place + field.utf8.count + prefix.utf8.count
        return start..<(start + numbers.utf8.count)
    }
}

extension [UInt8] {
    /// Where a text begins, which is given in small letters and may be there in capitals (ASCII).
    func places(of text: String) -> [Int] {
        let wanted = Array(text.utf8)
        guard !wanted.isEmpty, count >= wanted.count else { return [] }
        return (0...(count - wanted.count)).filter { place in
            wanted.indices.allSatisfy { offset in
                let found = self[place + offset]
                let isCapital = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(found)
                return (isCapital ? found | 0x20 : found) == wanted[offset]
            }
        }
    }
}
