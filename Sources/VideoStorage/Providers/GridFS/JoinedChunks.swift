import Contracts
import Mongo
import NIOCore

/// The bytes of chunks that follow each other, put together as they come and checked each. A value without I/O.
struct JoinedChunks: Sendable {
    /// Bytes are summed up and copied so many at a time, while the processor's cache has them.
    private static let partBytes = 65_536

    /// The first chunk that is not what was written.
    private(set) var damaged: Int?
    private let indexes: ClosedRange<Int>
    private let shape: KnownFiles.Shape
    private var next: Int
    private var bytes = ByteBuffer()
    /// Of all bytes so far; `nil` as soon as one of the chunks has none.
    private var checksum: UInt32? = 0

    /// None of them yet.
    init(_ indexes: ClosedRange<Int>, _ shape: KnownFiles.Shape) {
        self.indexes = indexes
        self.shape = shape
        next = indexes.lowerBound
    }

    /// The bytes of all; `nil` when one is missing or damaged.
    var whole: BlobBytes? {
        damaged == nil && next == indexes.upperBound + 1 ? BlobBytes(bytes, checksum: checksum) : nil
    }

    /// Takes the next chunk. One that is not the next tells that another is missing.
    ///
    /// - Parameters:
    ///   - data: Its bytes, where the document has any.
    ///   - document: All else that the document has.
    mutating func add(_ data: UnsafeRawBufferPointer?, in document: BSONDocument) {
        guard damaged == nil, document["n"]?.integerValue == Int64(next) else { return }
        let expected = min(shape.chunkBytes, shape.length - Int64(next) * shape.chunkBytes)
        guard let data, Int64(data.count) == expected else {
            damaged = next
            return
        }
        // Not earlier: memory that two values share is copied when one of them is written to.
        if next == indexes.lowerBound { bytes.reserveCapacity(indexes.count * Int(shape.chunkBytes)) }
        let sum = append(data)
        guard GridFSChunk.isWhole(size: data.count, checksum: sum, in: document) else {
            damaged = next
            return
        }
        checksum = checksum.flatMap { sum in
            GridFSChunk(document).map { CRC32C.joined(sum, $0.checksum, ofCount: $0.size) }
        }
        next += 1
    }

    /// - Returns: The checksum of what was appended.
    private mutating func append(_ data: UnsafeRawBufferPointer) -> UInt32 {
        var sum: UInt32 = 0
        var rest = data[...]
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.partBytes))
            sum = CRC32C.checksum(of: part, after: sum)
            bytes.writeBytes(part)
            rest = rest.dropFirst(part.count)
        }
        return sum
    }
}
