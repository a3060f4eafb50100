import Domain

/// A body of several ranges, `multipart/byteranges` (RFC 9110 section 14.6; the framing is RFC 2046's, section 5.1.1).
struct MultipartRanges: Sendable, Equatable {
    /// The most ranges in one body. Players ask for one, readers of documents for a handful.
    static let maxCount = 16

    /// The ranges, in the order in which they were asked for.
    let ranges: [ByteRange]
    /// The bytes of the object in all.
    let size: Int64
    /// The type of the object.
    let contentType: String
    /// What separates the parts. It is random, since the bytes between may be anything.
    let boundary: String

    /// The `Content-Type` of the whole body.
    var mediaType: String { "multipart/byteranges; boundary=\(boundary)" }

    /// What stands before the part with this number.
    func heading(_ number: Int) -> String {
        """
        \(number == 0 ? "" : "\r\n")--\(boundary)\r
        Content-Type: \(contentType)\r
        Content-Range: bytes \(ranges[number])/\(size)\r
        \r

        """
    }

    /// What stands after the last part.
    var closing: String { "\r\n--\(boundary)--\r\n" }

    /// The bytes of the body, with all that stands between the parts; `Int64.max` when they are more than that.
    var length: Int64 {
        var length = Int64(closing.utf8.count)
        for (number, range) in ranges.enumerated() {
            for count in [range.count, Int64(heading(number).utf8.count)] {
                let (sum, overflow) = length.addingReportingOverflow(count)
                if overflow { return .max }
                length = sum
            }
        }
        return length
    }

    /// A boundary that nobody can foresee, so that no object can contain it by intent.
    static func randomBoundary() -> String {
        let digits = [UInt64.random(in: .min ... .max), .random(in: .min ... .max)].map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        return "millrace-" + digits.joined()
    }
}
