internal import Domain
internal import NIOCore
internal import RPC

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// `storage.open.v1`: facts travel as fields, as those of a chunk do, and the body is the bytes alone.
enum OpenFields {
    static let key = "key"
    /// The place of the first byte; a negative number counts from the end.
    static let start = "start"
    static let version = "version"
    static let size = "size"
    static let contentType = "content-type"
    static let modifiedAt = "modified-at-milliseconds"
    static let chunkBytes = "chunk-bytes"
    /// The offset of the chunk; missing when there is none.
    static let offset = "offset"
    static let checksum = "crc32c"
}

/// `storage.open.v1`, request.
struct OpenRequest {
    let key: StorageKey
    let start: ReadStart

    init(key: StorageKey, start: ReadStart) {
        self.key = key
        self.start = start
    }

    /// As a message. A suffix of nothing selects nothing, as does a place past every end.
    var payload: RPCPayload {
        let number: Int64 =
            switch start {
            case .offset(let offset): max(0, offset)
            case .suffix(let count): count > 0 ? -count : .max
            }
        return RPCPayload(
            contentType: RPCPayload.bytes,
            fields: [OpenFields.key: .text(key.description), OpenFields.start: .number(number)], body: ByteBuffer())
    }

    /// Reads a request.
    init(_ payload: RPCPayload) throws(ServiceError) {
        guard let key = payload.text(OpenFields.key), let start = payload.number(OpenFields.start) else {
            throw ServiceError(.invalidArgument, "An open needs the fields key and start.")
        }
        let count = Int64(clamping: start.magnitude)
        self.init(key: try StorageKey(key), start: start < 0 ? .suffix(count) : .offset(start))
    }
}

extension OpenedObject {
    /// As a reply.
    var payload: RPCPayload {
        var fields: [String: RPCValue] = [
            OpenFields.version: .text(facts.version.description), OpenFields.size: .number(facts.size),
            OpenFields.modifiedAt: .number(facts.modifiedAt.milliseconds),
            OpenFields.chunkBytes: .number(Int64(facts.chunkBytes)),
        ]
        if let contentType = facts.contentType { fields[OpenFields.contentType] = .text(contentType) }
        if let first {
            fields[OpenFields.offset] = .number(first.offset)
            fields[OpenFields.checksum] = .number(Int64(first.sentChecksum))
        }
        return RPCPayload(contentType: RPCPayload.bytes, fields: fields, body: first?.bytes ?? ByteBuffer())
    }

    /// Reads a reply, and checks that the chunk is the one at the place that was asked for.
    init(_ payload: RPCPayload, to request: OpenRequest) throws(ServiceError) {
        guard let version = payload.text(OpenFields.version).flatMap(ObjectVersion.init),
            let size = payload.number(OpenFields.size), size >= 0,
            let modifiedAt = payload.number(OpenFields.modifiedAt),
            let chunkBytes = payload.number(OpenFields.chunkBytes).flatMap({ Int(exactly: $0) }),
            StorageLimits.chunkBytesRange.contains(chunkBytes)
        else {
            throw ServiceError(.internal, "The storage service gave facts of \(request.key) that cannot be.")
        }
        let facts = ObjectFacts(
            key: request.key, version: version, size: size, contentType: payload.text(OpenFields.contentType),
            modifiedAt: Date(milliseconds: modifiedAt), chunkBytes: chunkBytes)
        let index = request.start.chunkIndex(size: size, chunkBytes: chunkBytes)
        self.init(facts: facts, first: try Self.chunk(payload, index, of: facts))
    }

    private static func chunk(
        _ payload: RPCPayload, _ index: Int64?, of facts: ObjectFacts
    ) throws(ServiceError) -> Chunk? {
        guard let index else {
            guard payload.body.readableBytes == 0 else {
                throw ServiceError(.corrupt, "Bytes of \(facts.key) came where it has none.")
            }
            return nil
        }
        // The reply to a read has the same fields, and is checked in the same way.
        return try Chunk(
            payload,
            of: ChunkAddress(key: facts.key, version: facts.version, index: index, chunkBytes: facts.chunkBytes))
    }
}
