import Domain

extension ChunkAddress {
    /// The bytes that the chunk has in an object of this size, or `nil` when it lies past the end.
    ///
    /// The index comes from outside and may be any number, so it is compared before anything is multiplied.
    ///
    /// - Parameter objectSize: Bytes in all. An object without bytes has no chunks.
    /// - Returns: `chunkBytes` of them, fewer only at the object's end.
    func range(inObjectOf objectSize: Int64) -> ByteRange? {
        let size = Int64(chunkBytes)
        guard size > 0, objectSize > 0, index >= 0, index <= (objectSize - 1) / size else { return nil }
        let first = index * size
        return ByteRange(first: first, last: first + min(size - 1, objectSize - 1 - first))
    }
}
