/// Bytes with the subtype that says how they are meant.
///
/// A field of type `[UInt8]` or `Data` is coded as binary of subtype ``generic`` by itself; this type is for the others.
public struct BSONBinary: Hashable, Sendable {
    /// Subtype 0: bytes without further meaning.
    public static let generic: UInt8 = 0x00
    /// Subtype 4: a UUID, 16 bytes in network order.
    public static let uuid: UInt8 = 0x04

    /// The subtype; 0x80 and above are the user's own.
    public var subtype: UInt8
    /// The bytes. For the obsolete subtype 2 they include the inner length, exactly as stored.
    public var bytes: [UInt8]

    /// Bytes of the given subtype.
    public init(_ bytes: [UInt8], subtype: UInt8 = BSONBinary.generic) {
        self.bytes = bytes
        self.subtype = subtype
    }
}
