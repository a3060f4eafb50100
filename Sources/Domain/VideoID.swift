/// The identity of a video record: 12 bytes, written as 24 hexadecimal digits (MongoDB's ObjectId).
public struct VideoID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// 24 lower-case hexadecimal digits.
    public let description: String

    /// Reads an id; `nil` unless the text is exactly 24 hexadecimal digits.
    public init?(_ text: some StringProtocol) {
        let digits = text.utf8
        guard digits.count == 24 else { return nil }
        let isHexadecimal = digits.allSatisfy { digit in
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "a")...UInt8(ascii: "f"),
                UInt8(ascii: "A")...UInt8(ascii: "F"):
                true
            default:
                false
            }
        }
        guard isHexadecimal else { return nil }
        description = text.lowercased()
    }

    /// Ids sort as their bytes do, which for MongoDB's own ids is roughly by time of creation.
    public static func < (left: VideoID, right: VideoID) -> Bool {
        left.description < right.description
    }
}

extension VideoID: Codable {
    /// Reads the 24 digits.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = VideoID(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "a video id is 24 hexadecimal digits, not \"\(text.prefix(64))\"")
        }
        self = id
    }

    /// Writes the 24 digits.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
