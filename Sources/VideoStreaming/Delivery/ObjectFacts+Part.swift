import Domain

extension ObjectFacts {
    /// The address of a part of the object that holds a small range, and little else; `nil` where a chunk is no more than that.
    ///
    /// A worker reads chunks of any size within ``Domain/StorageLimits/chunkBytesRange``, and the chunk *i* of size *s* starts
    /// at *i·s*. So a range from *a* to *b* can be had in one read, whatever lies in it as a boundary of the usual chunks: for
    /// most *i* below *a/(b-a)* there is an *s* with *i·s ≤ a* and *b < (i+1)·s*. This takes the largest *i* for which
    /// there must be one, since *a/i* and *b/(i+1)* then differ by more than 1. In the first gigabyte, 64 KiB become 79 KB
    /// at the most; the further on, the more it is.
    func address(ofPartWith range: ByteRange) -> ChunkAddress? {
        guard range.count <= Int64(chunkBytes) / 2, range.last < 1 << 60 else { return nil }
        let count = max(range.count, Int64(StorageLimits.chunkBytesRange.lowerBound))
        let (first, last) = (range.first, range.first + count - 1)
        let (wide, far) = (Double(count), Double(first))
        var index = Int64(((wide * wide + 4 * far).squareRoot() - wide) / 2)
        // The square root is rounded, so the place before may be the one; at 0 there always is one.
        while index > 0, (index + 1) * (first / index) <= last { index -= 1 }
        let size = index > 0 ? first / index : last + 1
        guard size < Int64(chunkBytes) else { return nil }
        return ChunkAddress(key: key, version: version, index: index, chunkBytes: Int(size))
    }
}
