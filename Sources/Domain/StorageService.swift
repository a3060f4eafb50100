public import NIOCore

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Names one immutable state of an object's bytes. When the bytes change, the version does.
public struct ObjectVersion: Sendable, Hashable, CustomStringConvertible {
    /// The version as text: 1 to 128 letters, digits, `-`, `_` or `.`, so that it fits an entity tag as it is.
    public let description: String

    /// Reads a version; `nil` when the text is not of that form.
    public init?(_ text: String) {
        guard (1...128).contains(text.utf8.count) else { return nil }
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default:
                false
            }
        }
        guard isPlain else { return nil }
        description = text
    }
}

/// What the storage service knows of an object without reading its bytes.
public struct ObjectFacts: Sendable, Equatable {
    /// The name that was asked for.
    public var key: StorageKey
    /// The version that is current now.
    public var version: ObjectVersion
    /// Bytes in all; may be 0.
    public var size: Int64
    /// The media type, where it is known.
    public var contentType: String?
    /// When this version came to be, to the second or finer.
    public var modifiedAt: Date
    /// The size in bytes of the chunks in which it is read; the last one may be shorter.
    public var chunkBytes: Int

    /// Makes the facts of an object.
    public init(
        key: StorageKey, version: ObjectVersion, size: Int64, contentType: String?, modifiedAt: Date, chunkBytes: Int
    ) {
        self.key = key
        self.version = version
        self.size = size
        self.contentType = contentType
        self.modifiedAt = modifiedAt
        self.chunkBytes = chunkBytes
    }
}

/// Names one chunk of one version of an object: what to ask for.
public struct ChunkAddress: Sendable, Hashable {
    /// The object.
    public var key: StorageKey
    /// The version the bytes must belong to.
    public var version: ObjectVersion
    /// Which chunk, from 0.
    public var index: Int64
    /// The size of a chunk in bytes, as ``ObjectFacts/chunkBytes`` gave it.
    public var chunkBytes: Int

    /// Makes an address.
    public init(key: StorageKey, version: ObjectVersion, index: Int64, chunkBytes: Int) {
        self.key = key
        self.version = version
        self.index = index
        self.chunkBytes = chunkBytes
    }
}

/// The bytes of one chunk.
public struct Chunk: Sendable, Equatable {
    /// The version that they belong to.
    public var version: ObjectVersion
    /// Where in the object they start.
    public var offset: Int64
    /// The size of the whole object.
    public var objectSize: Int64
    /// The bytes: `chunkBytes` of them, fewer only at the object's end.
    public var bytes: ByteBuffer
    /// The CRC-32C that was stored with the bytes, where a worker has compared the two: it goes to the reader as it is, so the reader
    /// sees what has happened to the bytes since they were stored. `nil` elsewhere: then it is taken of the bytes as they are sent.
    public var checksum: UInt32?

    /// Makes a chunk.
    public init(
        version: ObjectVersion, offset: Int64, objectSize: Int64, bytes: ByteBuffer, checksum: UInt32? = nil
    ) {
        self.version = version
        self.offset = offset
        self.objectSize = objectSize
        self.bytes = bytes
        self.checksum = checksum
    }
}

/// Where in an object a reader begins.
public enum ReadStart: Sendable, Hashable {
    /// At this byte, counted from 0.
    case offset(Int64)
    /// So many bytes before the end; at the first byte of an object that has fewer.
    case suffix(Int64)

    /// The chunk that holds this place; `nil` when the object has no byte there.
    public func chunkIndex(size: Int64, chunkBytes: Int) -> Int64? {
        let offset: Int64
        switch self {
        case .offset(let start): offset = start
        case .suffix(let count): offset = count > 0 ? max(0, size - count) : size
        }
        guard offset >= 0, offset < size, chunkBytes > 0 else { return nil }
        return offset / Int64(chunkBytes)
    }
}

/// What is known of an object, and the chunk in which a reader begins.
public struct OpenedObject: Sendable, Equatable {
    /// What is known of it.
    public var facts: ObjectFacts
    /// The chunk, of the version that the facts name; `nil` when the object has no byte at that place.
    public var first: Chunk?

    /// Makes the pair.
    public init(facts: ObjectFacts, first: Chunk?) {
        self.facts = facts
        self.first = first
    }
}

/// Where the bytes are. The gateway and the operator's tool see the storage workers through this protocol alone.
///
/// Every call throws ``ServiceError``; beside their own errors they may throw `unavailable`, `overloaded`,
/// `deadlineExceeded` and `internal`.
public protocol StorageService: Sendable {
    /// What is known of an object. Idempotent.
    ///
    /// - Throws: `notFound` when no such object exists, with a message that names the key; `invalidArgument` when the
    ///   key would lead out of the provider's root.
    func stat(_ key: StorageKey, deadline: Deadline) async throws(ServiceError) -> ObjectFacts

    /// The bytes of one chunk. Idempotent: any worker gives the same answer, or an error.
    ///
    /// The bytes have been checked against their checksum: the one that was stored with them, where there is one, else the one that
    /// the worker took when it had read them.
    ///
    /// - Throws: `conflict` when the object has another version by now, `notFound` when it is gone, `corrupt` when the
    ///   bytes do not match, `invalidArgument` when the index lies past the end.
    func read(_ chunk: ChunkAddress, deadline: Deadline) async throws(ServiceError) -> Chunk

    /// ``read(_:deadline:)`` of several chunks in one call, which costs less than a call for each where they are small. Idempotent.
    ///
    /// - Parameters:
    ///   - chunks: As many, and of as many bytes, as ``StorageLimits`` allow; of any objects.
    ///   - deadline: When nobody waits for the answer any more.
    /// - Returns: What came of each, in their order. The call takes as long as the slowest.
    /// - Throws: `invalidArgument` when they are none or too many; `unimplemented` where nobody knows more than ``read(_:deadline:)``.
    func read(
        together chunks: [ChunkAddress], deadline: Deadline
    ) async throws(ServiceError) -> [Result<Chunk, ServiceError>]

    /// ``stat(_:deadline:)`` and the first ``read(_:deadline:)`` in one call: what a reader needs to begin. Idempotent.
    ///
    /// Facts and bytes are of one version.
    ///
    /// - Parameters:
    ///   - key: The object.
    ///   - start: Where the reader begins.
    ///   - deadline: When nobody waits for the answer any more.
    /// - Returns: The facts, and the chunk at that place, where there is one.
    /// - Throws: What both of them throw; `conflict` when the object was replaced between the two.
    func open(_ key: StorageKey, at start: ReadStart, deadline: Deadline) async throws(ServiceError) -> OpenedObject
}

extension StorageService {
    /// See ``readEach(_:deadline:)``.
    public func read(
        together chunks: [ChunkAddress], deadline: Deadline
    ) async throws(ServiceError) -> [Result<Chunk, ServiceError>] {
        try StorageLimits.checkTogether(chunks)
        return await readEach(chunks, deadline: deadline)
    }

    /// Reads chunks at the same time, by a ``read(_:deadline:)`` for each.
    ///
    /// - Returns: What came of each, in their order.
    public func readEach(_ chunks: [ChunkAddress], deadline: Deadline) async -> [Result<Chunk, ServiceError>] {
        if let chunk = chunks.first, chunks.count == 1 { return [await result(of: chunk, deadline: deadline)] }
        return await withTaskGroup { group in
            for (place, chunk) in chunks.enumerated() {
                group.addTask {
                    let result = await result(of: chunk, deadline: deadline)
                    return (place: place, result: result)
                }
            }
            var results: [Result<Chunk, ServiceError>?] = Array(repeating: nil, count: chunks.count)
            for await read in group { results[read.place] = read.result }
            return results.compactMap(\.self)
        }
    }

    private func result(of chunk: ChunkAddress, deadline: Deadline) async -> Result<Chunk, ServiceError> {
        do throws(ServiceError) {
            return .success(try await read(chunk, deadline: deadline))
        } catch {
            return .failure(error)
        }
    }
}

/// The limits of the storage service.
public enum StorageLimits {
    /// 256 KiB: large enough that the cost of a message does not show, small enough that a seek is quick. It is no
    /// multiple of AMQP's usual body frame (131,064 bytes), see the AMQP target.
    public static let defaultChunkBytes = 256 * 1_024
    /// Which chunk sizes a worker accepts.
    public static let chunkBytesRange = 4_096...4_194_304
    /// How many chunks are read together at the most: a worker takes many calls at once, and each of these is a call of its provider …
    public static let maxChunksTogether = 16
    /// … and how many bytes of them may be asked for; a single chunk is never too large. It bounds what a message holds.
    public static let maxBytesTogether = 1_048_576

    /// Holds chunks that are to be read together to these limits.
    ///
    /// - Throws: `invalidArgument`.
    public static func checkTogether(_ chunks: [ChunkAddress]) throws(ServiceError) {
        guard (1...maxChunksTogether).contains(chunks.count) else {
            throw ServiceError(
                .invalidArgument, "1 to \(maxChunksTogether) chunks can be read together, not \(chunks.count).")
        }
        guard chunks.count == 1 || chunks.reduce(0, { $0 + $1.chunkBytes }) <= maxBytesTogether else {
            throw ServiceError(
                .invalidArgument, "Chunks that are read together have at most \(maxBytesTogether) bytes.")
        }
    }
}
