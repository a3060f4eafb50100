import Domain
import Mongo
import NIOCore
import Synchronization

/// Keeps blobs in the storage service's own MongoDB, as GridFS does: no shared disk and no cloud account are needed.
///
/// The chunks of a blob are written first, a document in `blobs.files` makes them a blob, last and alone. Everything is
/// written with the database's write concern (majority, journalled). Each chunk carries its checksum, and bytes that do
/// not match it are `corrupt`, never an answer. Blobs that other programs put there have none, and are read as they are.
struct GridFSProvider: StorageProvider {
    /// Blobs whose location this process has looked up. One entry is 100 bytes and what the location has.
    private static let maxKnownFiles = 10_000

    let name = ProviderName.gridfs
    /// A block is one document. Almost 1 TiB of them, as in the file system.
    let limits = ProviderLimits(
        blockBytes: GridFSFile.chunkBytes, maxBlocks: 1 << 20, chunkBytes: GridFSFile.chunkBytes)
    let files: MongoCollection<GridFSFile>
    let uploads: MongoCollection<GridFSUpload>
    let chunks: MongoCollection<BSONDocument>
    /// Where the blobs are whose chunks are read: what is known of an id never becomes wrong, only out of date.
    private let known = KnownFiles(maxCount: maxKnownFiles)

    /// Takes the database that the client is configured for; the client's owner shuts it down.
    init(client: MongoClient) {
        files = client.collection(GridFSFile.collection, of: GridFSFile.self)
        uploads = client.collection(GridFSUpload.collection, of: GridFSUpload.self)
        chunks = client.collection(GridFSChunk.collection, of: BSONDocument.self)
    }

    /// Makes the indexes that are missing. Idempotent; to be called at each start, before anything is written.
    func prepare(deadline: Deadline) async throws(ServiceError) {
        try await GridFSFailure.translated {
            try await files.createIndexes([MongoIndex(["filename": 1], isUnique: true)], deadline: deadline.instant)
            // With size and checksum in it, a commit can check every chunk without reading one.
            try await chunks.createIndexes(
                [MongoIndex(["files_id": 1, "n": 1, "size": 1, "crc32c": 1])], deadline: deadline.instant)
            try await uploads.createIndexes(
                [MongoIndex(["clearedAt": 1], expireAfterSeconds: GridFSUpload.memorySeconds)],
                deadline: deadline.instant)
        }
    }

    func stat(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) -> BlobFacts {
        guard let file = try await file(at: location, deadline: deadline), let facts = file.facts else {
            throw Self.noBlob(at: location)
        }
        return facts
    }

    func read(
        _ location: StorageKey,
        range: ByteRange,
        validator: BlobValidator,
        deadline: Deadline
    ) async throws(ServiceError) -> BlobBytes {
        try ProviderLimits.check(range)
        guard let id = ObjectID(validator.description) else { throw Self.changed(location) }
        if let shape = known.shape(of: id, at: location) {
            if let bytes = try await read(range, of: id, shape, location, deadline: deadline) { return bytes }
            known.forget(id)
        }
        guard let file = try await file(at: location, deadline: deadline) else { throw Self.noBlob(at: location) }
        guard file.id == id else { throw Self.changed(location) }
        guard let shape = file.shape else {
            throw ServiceError(.corrupt, "\"\(location)\" has chunks of a size that is not read.")
        }
        known.remember(id, location, shape)
        if let bytes = try await read(range, of: id, shape, location, deadline: deadline) { return bytes }
        // Removed between the two questions, being removed, or damaged?
        guard try await self.file(at: location, deadline: deadline)?.id == id,
            try await !isBeingRemoved(id, deadline: deadline)
        else { throw Self.noBlob(at: location) }
        throw ServiceError(.corrupt, "Bytes of \"\(location)\" are missing in the blob database.")
    }

    private func isBeingRemoved(_ id: ObjectID, deadline: Deadline) async throws(ServiceError) -> Bool {
        try await GridFSFailure.translated {
            try await uploads.findOne(["_id": .objectID(id)], deadline: deadline.instant)?.state == .aborted
        }
    }

    /// The bytes of a range, `nil` when not all of its chunks are there.
    private func read(
        _ range: ByteRange, of id: ObjectID, _ shape: KnownFiles.Shape, _ location: StorageKey, deadline: Deadline
    ) async throws(ServiceError) -> BlobBytes? {
        guard range.first < shape.length else {
            throw ServiceError(.invalidArgument, "The range \(range) begins past the end of \"\(location)\".")
        }
        let last = min(range.last, shape.length - 1)
        let indexes = Int(range.first / shape.chunkBytes)...Int(last / shape.chunkBytes)
        let joined = try await GridFSFailure.translated {
            try await chunks.find(
                // Whole documents: without one of the fields, the server would build each of them anew.
                Self.filter(id, indexes), sort: ["n": 1], limit: indexes.count, apart: "data",
                into: JoinedChunks(indexes, shape), deadline: deadline.instant
            ) { joined, document, bytes in joined.add(bytes, in: document) }
        }
        if let index = joined.damaged {
            throw ServiceError(.corrupt, "Chunk \(index) of \"\(location)\" is damaged in the blob database.")
        }
        guard let whole = joined.whole else { return nil }
        let start = Int(range.first - Int64(indexes.lowerBound) * shape.chunkBytes)
        let count = Int(last - range.first + 1)
        if start == 0, count == whole.bytes.readableBytes { return whole }
        return whole.bytes.getSlice(at: whole.bytes.readerIndex + start, length: count).map { BlobBytes($0) }
    }

    func list(after cursor: PageCursor?, limit: Int, deadline: Deadline) async throws(ServiceError) -> BlobPage {
        try ProviderLimits.check(pageSize: limit)
        let filter: BSONDocument = cursor.map { ["filename": ["$gt": .string($0.description)]] } ?? [:]
        let found = try await GridFSFailure.translated {
            try await files.find(filter, sort: ["filename": 1], limit: limit, deadline: deadline.instant)
        }
        let entries: [BlobPage.Entry] = found.compactMap { file in
            guard let location = try? StorageKey(file.filename), let facts = file.facts else { return nil }
            return BlobPage.Entry(location: location, facts: facts)
        }
        return BlobPage(entries: entries, next: found.count < limit ? nil : found.last.map { PageCursor($0.filename) })
    }

    // MARK: - Shared with uploads

    /// The blob at a location, `nil` when there is none.
    func file(at location: StorageKey, deadline: Deadline) async throws(ServiceError) -> GridFSFile? {
        try await GridFSFailure.translated {
            try await files.findOne(["filename": .string(location.description)], deadline: deadline.instant)
        }
    }

    /// Which chunks.
    static func filter(_ id: ObjectID, _ indexes: ClosedRange<Int>) -> BSONDocument {
        [
            "files_id": .objectID(id),
            "n": ["$gte": .int32(Int32(indexes.lowerBound)), "$lte": .int32(Int32(indexes.upperBound))],
        ]
    }

    static func noBlob(at location: StorageKey) -> ServiceError {
        ServiceError(.notFound, "There is no object \"\(location)\" in the storage.")
    }

    private static func changed(_ location: StorageKey) -> ServiceError {
        ServiceError(.conflict, "\"\(location)\" has changed; ask again for its current version.")
    }
}
