public import NIOCore

/// Puts bytes into the storage service. The gateway sees the storage workers through this protocol alone.
///
/// An upload has a life of three steps: ``begin(_:deadline:)``, then ``stage(_:deadline:)`` for each block in any order
/// and side by side, each at any worker, then ``commit(_:deadline:)``. Until it is committed nobody can see it; from then
/// on everybody sees it whole. What is begun and neither committed nor aborted is collected after a time.
///
/// Every call throws ``ServiceError``; beside their own errors they may throw `unavailable`, `overloaded`,
/// `deadlineExceeded` and `internal`. Every call is idempotent: one that failed so may be repeated as it was.
public protocol UploadService: Sendable {
    /// Begins an upload, or finds the one that was begun under the same id.
    ///
    /// - Returns: The size in which blocks have to be cut.
    /// - Throws: `conflict` when the id stands for an upload with other facts or one that is over.
    func begin(_ upload: NewUpload, deadline: Deadline) async throws(ServiceError) -> UploadPlan

    /// Keeps one block. Durable when it returns; a repetition with the same bytes changes nothing.
    ///
    /// - Returns: The receipt that the commit has to name.
    /// - Throws: `notFound` when there is no such upload or it is over, `corrupt` when the bytes do not match the checksum,
    ///   `invalidArgument` when the index or the size is out of bounds.
    func stage(_ block: UploadBlock, deadline: Deadline) async throws(ServiceError) -> StagedBlock

    /// Makes the staged blocks the object's current version, in one step, and tells it as `storage.object.committed`.
    ///
    /// A repetition, also after another version has replaced it, returns the same facts.
    ///
    /// - Throws: `conflict` when the object has got another version since the upload was begun (the first one to commit
    ///   wins; this upload is over), `notFound` when there is no such upload, `invalidArgument` when blocks are missing or
    ///   their sizes are not those of the plan.
    func commit(_ upload: FinishedUpload, deadline: Deadline) async throws(ServiceError) -> ObjectFacts

    /// Gives an upload up and forgets its blocks. An upload that is not there, or is over, is left as it is.
    func abort(_ upload: UploadID, deadline: Deadline) async throws(ServiceError)
}

/// Names one upload; chosen by who begins it, unguessable.
public struct UploadID: Sendable, Hashable, CustomStringConvertible {
    /// 32 lower-case hexadecimal digits.
    public let description: String

    /// Reads an id; `nil` when the text is not of that form.
    public init?(_ text: String) {
        let isHexadecimal = text.utf8.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
        }
        guard text.utf8.count == 32, isHexadecimal else { return nil }
        description = text
    }

    /// A new id, 128 random bits.
    public static func random() -> UploadID {
        var generator = SystemRandomNumberGenerator()
        let halves: [UInt64] = [generator.next(), generator.next()]
        let digits = halves.map { half in
            let text = String(half, radix: 16)
            return String(repeating: "0", count: 16 - text.utf8.count) + text
        }
        return UploadID(text: digits.joined())
    }

    private init(text: String) {
        description = text
    }
}

/// What is known when an upload begins.
public struct NewUpload: Sendable, Equatable {
    /// Its name.
    public var id: UploadID
    /// The object that it becomes a version of.
    public var key: StorageKey
    /// The media type, where it is known.
    public var contentType: String?
    /// Bytes in all, where they are known: lets a provider refuse what it cannot hold before a byte has been sent.
    public var size: Int64?

    /// Makes the facts.
    public init(id: UploadID, key: StorageKey, contentType: String?, size: Int64?) {
        self.id = id
        self.key = key
        self.contentType = contentType
        self.size = size
    }
}

/// How an upload has to be cut.
public struct UploadPlan: Sendable, Equatable {
    /// The size in bytes of every block but the last, which has from 1 to this many. An empty object has no block.
    public var blockBytes: Int
    /// The most blocks that the provider can put together.
    public var maxBlocks: Int

    /// Makes a plan.
    public init(blockBytes: Int, maxBlocks: Int) {
        self.blockBytes = blockBytes
        self.maxBlocks = maxBlocks
    }
}

/// One block of an upload on its way.
public struct UploadBlock: Sendable, Equatable {
    /// Which upload.
    public var upload: UploadID
    /// Which block, from 0.
    public var index: Int
    /// Its bytes.
    public var bytes: ByteBuffer

    /// Makes a block.
    public init(upload: UploadID, index: Int, bytes: ByteBuffer) {
        self.upload = upload
        self.index = index
        self.bytes = bytes
    }
}

/// A block that the provider keeps.
public struct StagedBlock: Sendable, Equatable {
    /// Which block, from 0.
    public var index: Int
    /// Its size in bytes.
    public var size: Int
    /// What the provider calls it (an entity tag, a block id): at most 128 printable ASCII characters, perhaps none.
    public var receipt: String

    /// Makes a receipt.
    public init(index: Int, size: Int, receipt: String) {
        self.index = index
        self.size = size
        self.receipt = receipt
    }
}

/// What makes an upload an object.
public struct FinishedUpload: Sendable, Equatable {
    /// Which upload.
    public var id: UploadID
    /// All its blocks, in order, without a gap.
    public var blocks: [StagedBlock]
    /// The checksum of all bytes, as `sha256:` and 64 lower-case hexadecimal digits, taken by whoever saw them go by. Kept
    /// with the object; a migration or a check of the whole store compares with it.
    public var checksum: String

    /// Makes the facts.
    public init(id: UploadID, blocks: [StagedBlock], checksum: String) {
        self.id = id
        self.blocks = blocks
        self.checksum = checksum
    }
}

/// The limits of uploads.
public enum UploadLimits {
    /// Which block sizes a provider may ask for. The upper bound is what one message carries without being felt; S3 wants
    /// 5 MiB at the least.
    public static let blockBytesRange = 4_096...8_388_608
}
