internal import Domain
internal import NIOCore
internal import RPC

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// `storage.stat.v1`, request.
struct StatRequest: Codable {
    let key: String
}

/// `storage.stat.v1`, reply.
struct StatReply: Codable {
    let version: String
    let size: Int64
    let contentType: String?
    let modifiedAtMilliseconds: Int64
    let chunkBytes: Int

    init(_ facts: ObjectFacts) {
        version = facts.version.description
        size = facts.size
        contentType = facts.contentType
        modifiedAtMilliseconds = facts.modifiedAt.milliseconds
        chunkBytes = facts.chunkBytes
    }

    func facts(of key: StorageKey) throws(ServiceError) -> ObjectFacts {
        guard let version = ObjectVersion(version), size >= 0, StorageLimits.chunkBytesRange.contains(chunkBytes) else {
            throw ServiceError(.internal, "The storage service gave facts of \(key) that cannot be.")
        }
        return ObjectFacts(
            key: key, version: version, size: size, contentType: contentType,
            modifiedAt: Date(milliseconds: modifiedAtMilliseconds), chunkBytes: chunkBytes)
    }
}

/// `storage.read.v1`: the most frequent call by far, so its facts travel as fields, and the body is the bytes alone.
enum ReadFields {
    static let key = "key"
    static let version = "version"
    static let index = "index"
    static let chunkBytes = "chunk-bytes"
    static let offset = "offset"
    static let size = "size"
    static let checksum = "crc32c"
}

extension ChunkAddress {
    /// The address as a request.
    var payload: RPCPayload {
        RPCPayload(
            contentType: RPCPayload.bytes,
            fields: [
                ReadFields.key: .text(key.description), ReadFields.version: .text(version.description),
                ReadFields.index: .number(index), ReadFields.chunkBytes: .number(Int64(chunkBytes)),
            ], body: ByteBuffer())
    }

    /// Reads a request.
    init(_ payload: RPCPayload) throws(ServiceError) {
        guard let key = payload.text(ReadFields.key), let version = payload.text(ReadFields.version),
            let index = payload.number(ReadFields.index), let chunkBytes = payload.number(ReadFields.chunkBytes)
        else {
            throw ServiceError(.invalidArgument, "A read needs the fields key, version, index and chunk-bytes.")
        }
        try self.init(key: key, version: version, index: index, chunkBytes: chunkBytes)
    }

    /// An address of what somebody else says.
    init(key: String, version: String, index: Int64, chunkBytes: Int64) throws(ServiceError) {
        guard let version = ObjectVersion(version) else {
            throw ServiceError(.invalidArgument, "The field version is not a version.")
        }
        guard index >= 0, let chunkBytes = Int(exactly: chunkBytes), StorageLimits.chunkBytesRange.contains(chunkBytes)
        else {
            throw ServiceError(
                .invalidArgument,
                "The field index is negative, or chunk-bytes is not within \(StorageLimits.chunkBytesRange).")
        }
        self.init(key: try StorageKey(key), version: version, index: index, chunkBytes: chunkBytes)
    }
}

extension Chunk {
    /// The CRC-32C that is sent with it.
    var sentChecksum: UInt32 { checksum ?? CRC32C.checksum(of: bytes) }

    /// The chunk as a reply.
    var payload: RPCPayload {
        RPCPayload(
            contentType: RPCPayload.bytes,
            fields: [
                ReadFields.version: .text(version.description), ReadFields.offset: .number(offset),
                ReadFields.size: .number(objectSize),
                ReadFields.checksum: .number(Int64(sentChecksum)),
            ], body: bytes)
    }

    /// Reads a reply, and checks that it is the chunk that was asked for and that its bytes are as they were sent.
    init(_ payload: RPCPayload, of address: ChunkAddress) throws(ServiceError) {
        guard let version = payload.text(ReadFields.version), let offset = payload.number(ReadFields.offset),
            let size = payload.number(ReadFields.size), let checksum = payload.number(ReadFields.checksum)
        else {
            throw ServiceError(.internal, "A chunk came without version, offset, size or crc32c.")
        }
        try self.init(
            SentChunk(
                version: version, offset: offset, size: size, checksum: checksum, bytes: payload.body,
                computedChecksum: payload.computedChecksum), of: address)
    }

    /// Takes what was sent, if it is the chunk that was asked for and its bytes are as they were sent.
    init(_ sent: SentChunk, of address: ChunkAddress) throws(ServiceError) {
        guard sent.version == address.version.description else {
            throw ServiceError(.conflict, "\(address.key) has another version by now.")
        }
        let (start, overflow) = address.index.multipliedReportingOverflow(by: Int64(address.chunkBytes))
        guard !overflow, start >= 0, sent.size >= 0, sent.offset == start,
            sent.bytes.readableBytes == max(0, min(Int64(address.chunkBytes), sent.size - start)),
            sent.checksum == Int64(sent.computedChecksum)
        else {
            throw ServiceError(
                .corrupt, "Chunk \(address.index) of \(address.key) is not as it was sent; its bytes are not used.")
        }
        self.init(version: address.version, offset: sent.offset, objectSize: sent.size, bytes: sent.bytes)
    }
}

/// A chunk as a worker says it is, and nobody has checked yet.
struct SentChunk {
    var version: String
    var offset: Int64
    var size: Int64
    var checksum: Int64
    var bytes: ByteBuffer
    /// That of the bytes as they came.
    var computedChecksum: UInt32
}

extension RPCPayload {
    /// The CRC-32C of the body.
    var computedChecksum: UInt32 { bodyChecksum ?? CRC32C.checksum(of: body) }
}
