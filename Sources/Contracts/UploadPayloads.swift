internal import Domain
internal import NIOCore
internal import RPC

/// `storage.begin.v1`, request.
struct BeginRequest: Codable {
    let id: String
    let key: String
    let contentType: String?
    let size: Int64?

    init(_ upload: NewUpload) {
        id = upload.id.description
        key = upload.key.description
        contentType = upload.contentType
        size = upload.size
    }

    func upload() throws(ServiceError) -> NewUpload {
        guard size ?? 0 >= 0 else { throw ServiceError(.invalidArgument, "The member size is negative.") }
        return NewUpload(id: try .read(id), key: try StorageKey(key), contentType: contentType, size: size)
    }
}

/// `storage.begin.v1`, reply.
struct BeginReply: Codable {
    let blockBytes: Int
    let maxBlocks: Int

    init(_ plan: UploadPlan) {
        blockBytes = plan.blockBytes
        maxBlocks = plan.maxBlocks
    }

    func plan() throws(ServiceError) -> UploadPlan {
        guard UploadLimits.blockBytesRange.contains(blockBytes), maxBlocks > 0 else {
            throw ServiceError(.internal, "The storage service gave a plan for an upload that cannot be.")
        }
        return UploadPlan(blockBytes: blockBytes, maxBlocks: maxBlocks)
    }
}

/// `storage.stage.v1`, request: facts travel as fields, and the body is the bytes alone.
enum StageFields {
    static let upload = "upload"
    static let index = "index"
    static let checksum = "crc32c"
}

extension UploadBlock {
    /// The block as a request.
    var payload: RPCPayload {
        RPCPayload(
            contentType: RPCPayload.bytes,
            fields: [
                StageFields.upload: .text(upload.description), StageFields.index: .number(Int64(index)),
                StageFields.checksum: .number(Int64(CRC32C.checksum(of: bytes))),
            ], body: bytes)
    }

    /// Reads a request, and checks that its bytes are as they were sent.
    init(_ payload: RPCPayload) throws(ServiceError) {
        guard let id = payload.text(StageFields.upload), let index = payload.number(StageFields.index),
            let checksum = payload.number(StageFields.checksum)
        else {
            throw ServiceError(.invalidArgument, "A block needs the fields upload, index and crc32c.")
        }
        guard index >= 0, let index = Int(exactly: index) else {
            throw ServiceError(.invalidArgument, "The field index is negative.")
        }
        guard (1...UploadLimits.blockBytesRange.upperBound).contains(payload.body.readableBytes) else {
            throw ServiceError(
                .invalidArgument, "A block has from 1 to \(UploadLimits.blockBytesRange.upperBound) bytes.")
        }
        let upload = try UploadID.read(id, name: "field upload")
        guard checksum == Int64(payload.computedChecksum) else {
            throw ServiceError(
                .corrupt, "Block \(index) of upload \(upload) is not as it was sent; its bytes are not used.")
        }
        self.init(upload: upload, index: index, bytes: payload.body)
    }
}

/// `storage.stage.v1`, reply.
struct StageReply: Codable {
    let index: Int
    let size: Int
    let receipt: String

    init(_ block: StagedBlock) {
        index = block.index
        size = block.size
        receipt = block.receipt
    }

    /// Checks that it is the block that was sent.
    func receipt(of block: UploadBlock) throws(ServiceError) -> StagedBlock {
        guard index == block.index, size == block.bytes.readableBytes, UploadLimits.isReceipt(receipt) else {
            throw ServiceError(.internal, "The storage service gave a receipt for block \(block.index) that cannot be.")
        }
        return StagedBlock(index: index, size: size, receipt: receipt)
    }
}

/// `storage.commit.v1`, request. A long film has tens of thousands of blocks, so what they share is not repeated: the
/// index is the place in the lists.
struct CommitRequest: Codable {
    let id: String
    let sizes: [Int]
    let receipts: [String]
    let checksum: String

    init(_ upload: FinishedUpload) throws(ServiceError) {
        guard upload.blocks.indices.allSatisfy({ upload.blocks[$0].index == $0 }) else {
            throw ServiceError(
                .invalidArgument, "The blocks of upload \(upload.id) are not in order, or one is missing.")
        }
        id = upload.id.description
        sizes = upload.blocks.map(\.size)
        receipts = upload.blocks.map(\.receipt)
        checksum = upload.checksum
    }

    func upload() throws(ServiceError) -> FinishedUpload {
        guard sizes.count == receipts.count else {
            throw ServiceError(.invalidArgument, "The members sizes and receipts are not of the same length.")
        }
        guard sizes.allSatisfy({ (1...UploadLimits.blockBytesRange.upperBound).contains($0) }) else {
            throw ServiceError(.invalidArgument, "The member sizes has one that no block can have.")
        }
        guard receipts.allSatisfy(UploadLimits.isReceipt) else {
            throw ServiceError(.invalidArgument, "The member receipts has one that is none.")
        }
        guard UploadLimits.isChecksum(checksum) else {
            throw ServiceError(
                .invalidArgument, "The member checksum is not of the form sha256: and 64 hexadecimal digits.")
        }
        let blocks = sizes.indices.map { StagedBlock(index: $0, size: sizes[$0], receipt: receipts[$0]) }
        return FinishedUpload(id: try .read(id), blocks: blocks, checksum: checksum)
    }
}

/// `storage.commit.v1`, reply.
struct CommitReply: Codable {
    let key: String
    let facts: StatReply

    init(_ facts: ObjectFacts) {
        key = facts.key.description
        self.facts = StatReply(facts)
    }

    func checked() throws(ServiceError) -> ObjectFacts {
        guard let key = try? StorageKey(key) else {
            throw ServiceError(.internal, "The storage service gave facts of an object without a name.")
        }
        return try facts.facts(of: key)
    }
}

/// `storage.abort.v1`, request.
struct AbortRequest: Codable {
    let id: String
}

/// `storage.abort.v1`, reply: there is nothing to say.
struct AbortReply: Codable {}

extension UploadID {
    /// Reads an id that a caller sent.
    static func read(_ text: String, name: String = "member id") throws(ServiceError) -> UploadID {
        guard let id = UploadID(text) else {
            throw ServiceError(.invalidArgument, "The \(name) is no upload id: 32 lower-case hexadecimal digits.")
        }
        return id
    }
}

extension UploadLimits {
    /// See ``Domain/StagedBlock/receipt``.
    static func isReceipt(_ text: String) -> Bool {
        text.utf8.count <= 128 && text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }

    /// See ``Domain/FinishedUpload/checksum``.
    static func isChecksum(_ text: String) -> Bool {
        let prefix = "sha256:"
        guard text.hasPrefix(prefix), text.utf8.count == prefix.utf8.count + 64 else { return false }
        return text.utf8.dropFirst(prefix.utf8.count).allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
        }
    }
}
