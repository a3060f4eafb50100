import Domain

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a block is called: index, size and the beginning of the MD5, in Base64. All ids of a blob are equally long, as Azure
/// wants it: 24 characters.
struct AzureBlockID: CustomStringConvertible {
    private static let md5Bytes = 10

    /// The id.
    let description: String

    /// Makes the id of a block.
    init(index: Int, size: Int, md5: [UInt8]) {
        let numbers = Self.bigEndian(index) + Self.bigEndian(size)
        description = Data(numbers + md5.prefix(Self.md5Bytes)).base64EncodedString()
    }

    /// Whether the receipt of a block is the id of a block of that index and size.
    static func describes(_ block: StagedBlock) -> Bool {
        guard let bytes = Data(base64Encoded: block.receipt), bytes.count == 8 + md5Bytes else { return false }
        return bytes.starts(with: bigEndian(block.index) + bigEndian(block.size))
    }

    private static func bigEndian(_ number: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: number).bigEndian) { Array($0) }
    }
}
