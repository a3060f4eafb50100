import Contracts
import Mongo
import NIOCore

/// A document of the collection `blobs.chunks`: a piece of a blob. Beside what the GridFS specification wants it has the
/// size and the CRC-32C of its bytes. Written once and never changed.
struct GridFSChunk: Sendable {
    /// The collection.
    static let collection = "blobs.chunks"

    /// Size and checksum without the bytes, which an index can tell.
    static let summary: BSONDocument = ["_id": 0, "n": 1, "size": 1, "crc32c": 1]

    /// Which piece, from 0.
    let index: Int
    /// How many bytes.
    let size: Int
    /// The CRC-32C of the bytes.
    let checksum: UInt32

    /// Makes the piece that one block is.
    init(block: ByteBuffer, index: Int) {
        self.init(index: index, size: block.readableBytes, checksum: CRC32C.checksum(of: block))
    }

    /// The piece as a document, with its bytes.
    func document(of file: ObjectID, bytes: ByteBuffer) -> BSONDocument {
        [
            "_id": ["files_id": .objectID(file), "n": .int32(Int32(index))],
            "files_id": .objectID(file), "n": .int32(Int32(index)), "size": .int32(Int32(size)),
            "crc32c": .int64(Int64(checksum)), "data": .binary(BSONBinary(Array(bytes.readableBytesView))),
        ]
    }

    /// Makes a summary of what is known.
    init(index: Int, size: Int, checksum: UInt32) {
        self.index = index
        self.size = size
        self.checksum = checksum
    }

    /// Reads the summary in a document; `nil` when it has another form.
    init?(_ document: BSONDocument) {
        guard let index = document["n"]?.integerValue, let size = document["size"]?.integerValue,
            let checksum = document["crc32c"]?.integerValue.flatMap({ UInt32(exactly: $0) })
        else { return nil }
        self.init(index: Int(index), size: Int(size), checksum: checksum)
    }

    /// Whether bytes are those that were written, by the document that they were in. One of another program has neither size nor
    /// checksum: there is nothing to compare.
    ///
    /// - Parameters:
    ///   - size: How many bytes there are.
    ///   - checksum: Their CRC-32C.
    ///   - document: All else that the document has.
    /// - Returns: Whether they are.
    static func isWhole(size: Int, checksum: UInt32, in document: BSONDocument) -> Bool {
        guard document["size"] != nil || document["crc32c"] != nil else { return true }
        guard let chunk = GridFSChunk(document) else { return false }
        return chunk.size == size && chunk.checksum == checksum
    }

    /// Whether it holds the same bytes as another one, as far as a checksum can tell.
    func matches(_ other: GridFSChunk) -> Bool {
        index == other.index && size == other.size && checksum == other.checksum
    }
}
