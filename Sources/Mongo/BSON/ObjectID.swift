import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A 12-byte identifier: seconds since 1970, five bytes drawn once per process, and a counter.
///
/// Identifiers are ordered by their bytes, as the server orders them, which is roughly the order of creation. They
/// are not secret: whoever knows one can guess its neighbours.
public struct ObjectID: Hashable, Sendable {
    // Big-endian halves, so that comparing them compares the bytes.
    private let high: UInt64
    private let low: UInt32

    /// A new identifier, different from every other that this process makes within 16,777,216 calls in one second, and,
    /// as far as 40 random bits go, from those of other processes.
    public init() {
        let seconds = UInt32(truncatingIfNeeded: time(nil))
        let count = Self.counter.add(1, ordering: .relaxed).newValue
        high = UInt64(seconds) << 32 | UInt64(Self.process.prefix)
        low = UInt32(Self.process.suffix) << 24 | (count & 0x00FF_FFFF)
    }

    /// The identifier with these 12 bytes; nil when they are not 12.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 12 else { return nil }
        high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The identifier written as 24 hexadecimal digits of either case; nil for any other text.
    public init?(_ hexadecimal: some StringProtocol) {
        let digits = hexadecimal.utf8
        guard digits.count == 24 else { return nil }
        var bytes: [UInt8] = []
        var pending: UInt8?
        for digit in digits {
            guard let value = Self.value(ofDigit: digit) else { return nil }
            if let first = pending {
                bytes.append(first << 4 | value)
                pending = nil
            } else {
                pending = value
            }
        }
        self.init(bytes: bytes)
    }

    /// The 12 bytes, most significant first.
    public var bytes: [UInt8] {
        withUnsafeBytes(of: high.bigEndian) { Array($0) } + withUnsafeBytes(of: low.bigEndian) { Array($0) }
    }

    /// When it was made, in seconds since 1970, by the clock of whoever made it.
    public var secondsSince1970: UInt32 { UInt32(high >> 32) }

    private static func value(ofDigit digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static let counter = Atomic<UInt32>(UInt32.random(in: .min ... .max))
    private static let process = (prefix: UInt32.random(in: .min ... .max), suffix: UInt8.random(in: .min ... .max))
}

extension ObjectID: Comparable {
    /// Whether the bytes of the first come before those of the second.
    public static func < (first: ObjectID, second: ObjectID) -> Bool {
        (first.high, first.low) < (second.high, second.low)
    }
}

extension ObjectID: LosslessStringConvertible {
    /// The identifier written as 24 hexadecimal digits of either case; nil for any other text.
    public init?(_ description: String) {
        self.init(description[...])
    }

    /// 24 lower-case hexadecimal digits.
    public var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

extension ObjectID: Codable {
    /// Reads an ObjectID from BSON, and the 24 digits from other formats.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = ObjectID(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "expected 24 hexadecimal digits")
        }
        self = value
    }

    /// Writes an ObjectID to BSON, and the 24 digits to other formats.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
