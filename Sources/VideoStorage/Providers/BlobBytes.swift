import NIOCore

/// Some bytes of a blob, as a provider gives them.
struct BlobBytes: Sendable, Equatable {
    /// The bytes.
    var bytes: ByteBuffer
    /// Their CRC-32C, made of what was stored with them and has been compared with them; `nil` where nothing was. It is not taken
    /// of the bytes anew, so whoever compares them once more sees what has happened to them since they were stored.
    var checksum: UInt32?
    /// The CRC-32C of each ``ChecksumTable/pieceBytes`` of them from the first on, where they were taken as the bytes came, which
    /// costs less; `nil` where nobody did. They have been compared with nothing.
    var pieceSums: [UInt32]?

    /// Bytes that were compared with no checksum, or with one of another kind.
    init(_ bytes: ByteBuffer, checksum: UInt32? = nil, pieceSums: [UInt32]? = nil) {
        self.bytes = bytes
        self.checksum = checksum
        self.pieceSums = pieceSums
    }
}
