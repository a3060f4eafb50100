internal import Domain
internal import NIOCore
internal import RPC

/// `storage.read-together.v1`, request. Its body is binary, since a small read is to cost little: for each chunk the key (length in
/// 2 bytes, then UTF-8), the version (the same), the index (8 bytes) and the chunk size (4 bytes), integers in network order.
struct ReadTogetherRequest {
    let chunks: [ChunkAddress]

    init(chunks: [ChunkAddress]) {
        self.chunks = chunks
    }

    var payload: RPCPayload {
        var body = ByteBuffer()
        for chunk in chunks {
            body.writeText(chunk.key.description)
            body.writeText(chunk.version.description)
            body.writeInteger(chunk.index)
            body.writeInteger(UInt32(clamping: chunk.chunkBytes))
        }
        return RPCPayload(contentType: RPCPayload.bytes, body: body)
    }

    init(_ payload: RPCPayload) throws(ServiceError) {
        var body = payload.body
        var chunks: [ChunkAddress] = []
        while body.readableBytes > 0, chunks.count <= StorageLimits.maxChunksTogether {
            guard let key = body.readText(), let version = body.readText(),
                let index = body.readInteger(as: Int64.self), let chunkBytes = body.readInteger(as: UInt32.self)
            else {
                throw ServiceError(
                    .invalidArgument, "The body does not hold key, version, index and chunk size of each chunk.")
            }
            chunks.append(
                try ChunkAddress(key: key, version: version, index: index, chunkBytes: Int64(chunkBytes)))
        }
        try StorageLimits.checkTogether(chunks)
        self.chunks = chunks
    }
}

/// `storage.read-together.v1`, reply. For each chunk of the request, in their order, one byte: 1, and then the version (length in
/// 2 bytes, then UTF-8), offset and size of the object (8 bytes each), the CRC-32C (4 bytes), the length of the bytes (4 bytes) and
/// the bytes; or 0, and then the code of an error and its message (the same as texts).
struct ReadTogetherReply {
    let results: [Result<Chunk, ServiceError>]

    private enum Outcome {
        static let failure: UInt8 = 0
        static let success: UInt8 = 1
    }

    init(results: [Result<Chunk, ServiceError>]) {
        self.results = results
    }

    var payload: RPCPayload {
        let bytes = results.reduce(0) { sum, result in
            guard case .success(let chunk) = result else { return sum }
            return sum + chunk.bytes.readableBytes
        }
        var body = ByteBufferAllocator().buffer(capacity: bytes + 256 * results.count)
        for result in results {
            switch result {
            case .success(let chunk):
                body.writeInteger(Outcome.success)
                body.writeText(chunk.version.description)
                body.writeInteger(chunk.offset)
                body.writeInteger(chunk.objectSize)
                body.writeInteger(chunk.sentChecksum)
                body.writeInteger(UInt32(clamping: chunk.bytes.readableBytes))
                body.writeImmutableBuffer(chunk.bytes)
            case .failure(let error):
                body.writeInteger(Outcome.failure)
                body.writeText(error.code.rawValue)
                body.writeText(error.message)
            }
        }
        return RPCPayload(contentType: RPCPayload.bytes, body: body)
    }

    /// Reads a reply, and checks each chunk as ``Chunk/init(_:of:)`` does.
    ///
    /// - Throws: `internal` when it is no reply to this request.
    init(_ payload: RPCPayload, to chunks: [ChunkAddress]) throws(ServiceError) {
        var body = payload.body
        var results: [Result<Chunk, ServiceError>] = []
        for chunk in chunks {
            guard let result = Self.readResult(of: chunk, from: &body) else { throw Self.malformed }
            results.append(result)
        }
        guard body.readableBytes == 0 else { throw Self.malformed }
        self.results = results
    }

    private static var malformed: ServiceError {
        ServiceError(.internal, "The storage service did not say what came of each chunk.")
    }

    private static func readResult(
        of address: ChunkAddress, from body: inout ByteBuffer
    ) -> Result<Chunk, ServiceError>? {
        switch body.readInteger(as: UInt8.self) {
        case Outcome.success:
            guard let sent = readChunk(from: &body) else { return nil }
            do throws(ServiceError) {
                return .success(try Chunk(sent, of: address))
            } catch {
                return .failure(error)
            }
        case Outcome.failure:
            guard let code = body.readText(), let message = body.readText() else { return nil }
            return .failure(ServiceError(ServiceError.Code(rawValue: code) ?? .internal, message))
        default:
            return nil
        }
    }

    private static func readChunk(from body: inout ByteBuffer) -> SentChunk? {
        guard let version = body.readText(), let offset = body.readInteger(as: Int64.self),
            let size = body.readInteger(as: Int64.self), let checksum = body.readInteger(as: UInt32.self),
            let count = body.readInteger(as: UInt32.self), let shared = body.readSlice(length: Int(count))
        else { return nil }
        // In memory of its own: the others' would be kept as long as the slowest viewer takes.
        var bytes = ByteBufferAllocator().buffer(capacity: shared.readableBytes)
        bytes.writeImmutableBuffer(shared)
        return SentChunk(
            version: version, offset: offset, size: size, checksum: Int64(checksum), bytes: bytes,
            computedChecksum: CRC32C.checksum(of: bytes))
    }
}

extension ByteBuffer {
    /// Texts are short: a key has at most 1,024 bytes, and a message that has more than 65,535 is cut.
    fileprivate mutating func writeText(_ text: String) {
        let bytes = text.utf8.prefix(Int(UInt16.max))
        writeInteger(UInt16(bytes.count))
        writeBytes(bytes)
    }

    fileprivate mutating func readText() -> String? {
        guard let count = readInteger(as: UInt16.self) else { return nil }
        return readString(length: Int(count))
    }
}
