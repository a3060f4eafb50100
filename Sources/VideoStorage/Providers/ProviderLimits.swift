import Domain

/// What a provider can hold, and how uploads to it have to be cut.
struct ProviderLimits: Sendable, Equatable {
    /// The most entries of a page: 1,000 is what S3 gives at the most.
    static let maxPageSize = 1_000
    /// The longest name of an upload; S3's have about 130 characters, those of compatibles may be longer.
    static let maxHandleBytes = 1_024

    /// The size in bytes of every block but the last, within ``Domain/UploadLimits/blockBytesRange``.
    let blockBytes: Int
    /// The most blocks of one blob.
    let maxBlocks: Int
    /// In which pieces blobs are best read, in bytes, within ``Domain/StorageLimits/chunkBytesRange``: larger ones where each
    /// read is a request to a service, which costs the same whatever its size.
    var chunkBytes = StorageLimits.defaultChunkBytes

    /// The largest blob in bytes.
    var maxBlobBytes: Int64 { Int64(blockBytes) * Int64(maxBlocks) }
}

extension ProviderLimits {
    /// Checks one block that is to be staged.
    ///
    /// - Throws: `tooLarge` when the index is over the limit, `invalidArgument` for anything else that is out of bounds.
    func check(index: Int, byteCount: Int) throws(ServiceError) {
        guard index >= 0 else { throw ServiceError(.invalidArgument, "A block has an index from 0, not \(index).") }
        guard index < maxBlocks else {
            throw ServiceError(.tooLarge, "The storage takes \(maxBlocks) blocks of \(blockBytes) bytes at the most.")
        }
        guard (1...blockBytes).contains(byteCount) else {
            throw ServiceError(.invalidArgument, "A block has 1 to \(blockBytes) bytes, not \(byteCount).")
        }
    }

    /// Checks the blocks that are to become a blob, and adds up their sizes.
    ///
    /// - Throws: `tooLarge` when they are too many, `invalidArgument` when there is a gap or a size that is not the plan's.
    func totalBytes(of blocks: [StagedBlock]) throws(ServiceError) -> Int64 {
        guard blocks.count <= maxBlocks else {
            throw ServiceError(.tooLarge, "The storage takes \(maxBlocks) blocks of \(blockBytes) bytes at the most.")
        }
        var total: Int64 = 0
        for (position, block) in blocks.enumerated() {
            guard block.index == position else {
                throw ServiceError(.invalidArgument, "Block \(position) is missing, or the blocks are not in order.")
            }
            let isLast = position + 1 == blocks.count
            guard isLast ? (1...blockBytes).contains(block.size) : block.size == blockBytes else {
                throw ServiceError(
                    .invalidArgument,
                    "Block \(position) has \(block.size) bytes; every block but the last has \(blockBytes).")
            }
            total += Int64(block.size)
        }
        return total
    }

    /// Checks the limit of a page.
    ///
    /// - Throws: `invalidArgument`.
    static func check(pageSize limit: Int) throws(ServiceError) {
        guard (1...maxPageSize).contains(limit) else {
            throw ServiceError(.invalidArgument, "A page has 1 to \(maxPageSize) entries, not \(limit).")
        }
    }

    /// Checks the length of a range that is to be read.
    ///
    /// - Throws: `invalidArgument`.
    static func check(_ range: ByteRange) throws(ServiceError) {
        guard range.count <= Int64(StorageLimits.chunkBytesRange.upperBound) else {
            throw ServiceError(
                .invalidArgument, "A read is limited to \(StorageLimits.chunkBytesRange.upperBound) bytes.")
        }
    }
}
