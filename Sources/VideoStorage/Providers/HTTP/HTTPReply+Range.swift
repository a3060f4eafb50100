import Domain
import NIOCore
import NIOHTTP1

extension HTTPReply {
    /// The bytes in an answer to a ranged GET, when they are exactly those that were asked for, up to the end of the blob, and
    /// of the state that was asked for.
    ///
    /// - Throws: `conflict` for another state, `corrupt` for other or fewer bytes than were asked for.
    func bytes(
        of range: ByteRange, validator: BlobValidator, _ location: StorageKey
    ) throws(ServiceError) -> BlobBytes {
        guard status == 206, let content = contentRange else {
            throw ServiceError(.corrupt, "The storage service did not answer with a range of \"\(location)\".")
        }
        guard headers.first(name: "ETag").flatMap(EntityTag.validator) == validator else {
            throw ServiceError(.conflict, "\"\(location)\" has changed; ask again for its current version.")
        }
        guard content.first == range.first, content.last == min(range.last, content.size - 1),
            Int64(body.readableBytes) == content.last - content.first + 1
        else {
            throw ServiceError(.corrupt, "The storage service gave other bytes of \"\(location)\" than were asked for.")
        }
        return BlobBytes(body, pieceSums: pieceSums)
    }
}
