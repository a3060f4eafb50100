import Contracts
import Domain
import Mongo
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Uploads: each block is a chunk under the id of a ``GridFSUpload``, which one document in `blobs.files` makes a blob.
extension GridFSProvider {
    /// How many chunks a commit checks with one question: 5 MB of answer.
    private static let chunksInACheck = 65_536

    func begin(
        _ location: StorageKey,
        contentType: String?,
        deadline: Deadline
    ) async throws(ServiceError) -> UploadHandle {
        guard try await file(at: location, deadline: deadline) == nil else {
            throw ServiceError(.conflict, "There is an object at \"\(location)\" already.")
        }
        let upload = GridFSUpload(id: ObjectID(), location: location.description, state: .open, startedAt: Date())
        _ = try await GridFSFailure.translated { try await uploads.insert(upload, deadline: deadline.instant) }
        return UploadHandle(upload.id.description)
    }

    func stage(
        _ handle: UploadHandle,
        at location: StorageKey,
        index: Int,
        bytes: ByteBuffer,
        deadline: Deadline
    ) async throws(ServiceError) -> String {
        try limits.check(index: index, byteCount: bytes.readableBytes)
        guard let id = ObjectID(handle.description),
            try await upload(id, location, deadline: deadline)?.state == .open
        else { throw Self.noUpload(to: location) }
        let chunk = GridFSChunk(block: bytes, index: index)
        try await GridFSFailure.translated {
            do {
                try await chunks.insert(chunk.document(of: id, bytes: bytes), deadline: deadline.instant)
            } catch let error as MongoError where error.kind == .duplicateKey {
                try await compare(chunk, of: id, deadline: deadline)
            }
        }
        // Given up or committed meanwhile: then nobody else would remove this.
        guard try await upload(id, location, deadline: deadline)?.state == .open else {
            try await removeUnused(chunk, of: id, deadline: deadline)
            throw Self.noUpload(to: location)
        }
        return Self.receipt(of: chunk)
    }

    /// Compares a block with the one that an earlier attempt has added.
    private func compare(_ chunk: GridFSChunk, of id: ObjectID, deadline: Deadline) async throws {
        let present = try await chunks.findOne(
            Self.filter(id, chunk.index...chunk.index), projection: GridFSChunk.summary, deadline: deadline.instant)
        guard let present, GridFSChunk(present)?.matches(chunk) == true else {
            throw ServiceError(.conflict, "The block was staged with other bytes before; begin another upload.")
        }
    }

    func commit(
        _ handle: UploadHandle,
        at location: StorageKey,
        blocks: [StagedBlock],
        contentType: String?,
        deadline: Deadline
    ) async throws(ServiceError) -> BlobFacts {
        let total = try limits.totalBytes(of: blocks)
        guard let id = ObjectID(handle.description) else { throw Self.noUpload(to: location) }
        let upload = try await upload(id, location, deadline: deadline)
        guard upload?.state != .aborted else { throw Self.noUpload(to: location) }
        guard upload?.state == .open else {
            return try await committed(at: location, totalBytes: total, deadline: deadline)
        }
        if try await file(at: location, deadline: deadline)?.id != id {
            try await check(blocks, of: id, deadline: deadline)
            try await publish(id, location, totalBytes: total, contentType, deadline: deadline)
        }
        let facts = try await committed(at: location, totalBytes: total, deadline: deadline)
        guard facts.validator.description == id.description else { return facts }
        // From here on it cannot be given up any more. If it has been, its chunks are going: it must not stay.
        guard try await finish(id, location, deadline: deadline) else {
            _ = try await GridFSFailure.translated {
                try await files.deleteOne(["_id": .objectID(id)], deadline: deadline.instant)
            }
            throw Self.noUpload(to: location)
        }
        return facts
    }

    /// Ends an upload as committed. Chunks that were staged and not named are removed with it.
    ///
    /// - Returns: Whether it was committed, by this call or another one; `false` when it was aborted.
    private func finish(_ id: ObjectID, _ location: StorageKey, deadline: Deadline) async throws(ServiceError) -> Bool {
        let isOurs = try await move(id, to: .committed, deadline: deadline)
        guard isOurs else { return try await upload(id, location, deadline: deadline)?.state != .aborted }
        try await GridFSFailure.translated {
            guard let file = try await files.findOne(["_id": .objectID(id)], deadline: deadline.instant) else { return }
            try await chunks.deleteMany(
                ["files_id": .objectID(id), "n": ["$gte": .int64(file.chunkCount)]], deadline: deadline.instant)
            try await uploads.deleteOne(["_id": .objectID(id)], deadline: deadline.instant)
        }
        return true
    }

    func abort(_ handle: UploadHandle, at location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        guard let id = ObjectID(handle.description) else { return }
        if try await move(id, to: .aborted, deadline: deadline) {
            try await clear(id, deadline: deadline)
            return
        }
        guard let upload = try await upload(id, location, deadline: deadline) else { return }
        // Another one was interrupted: finish its work.
        switch upload.state {
        case .open: return
        case .committed: _ = try await finish(id, location, deadline: deadline)
        case .aborted: if upload.clearedAt == nil { try await clear(id, deadline: deadline) }
        }
    }

    func delete(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        guard let file = try await file(at: location, deadline: deadline) else { return }
        try await GridFSFailure.translated {
            // Noted first, so that the chunks are found and removed even if this process ends now.
            let tombstone = GridFSUpload(
                id: file.id, location: location.description, state: .aborted, startedAt: Date())
            try await uploads.replaceOne(
                ["_id": .objectID(file.id)], with: tombstone, upsert: true, deadline: deadline.instant)
        }
        try await clear(file.id, deadline: deadline)
    }

    func uploads(
        after cursor: PageCursor?, limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> BegunUploadPage {
        try ProviderLimits.check(pageSize: limit)
        var filter: BSONDocument = ["clearedAt": .null]
        if let cursor, let id = ObjectID(cursor.description) {
            filter = ["clearedAt": .null, "_id": ["$gt": .objectID(id)]]
        }
        let query = filter
        let found = try await GridFSFailure.translated {
            try await uploads.find(query, sort: ["_id": 1], limit: limit, deadline: deadline.instant)
        }
        let entries: [BegunUploadPage.Entry] = found.compactMap { upload in
            guard let location = try? StorageKey(upload.location) else { return nil }
            return BegunUploadPage.Entry(
                location: location, handle: UploadHandle(upload.id.description), activeAt: upload.startedAt)
        }
        let next = found.count < limit ? nil : found.last.map { PageCursor($0.id.description) }
        return BegunUploadPage(entries: entries, next: next)
    }

    // MARK: - Steps

    private func upload(
        _ id: ObjectID, _ location: StorageKey, deadline: Deadline
    ) async throws(ServiceError) -> GridFSUpload? {
        try await GridFSFailure.translated {
            try await uploads.findOne(
                ["_id": .objectID(id), "location": .string(location.description)], deadline: deadline.instant)
        }
    }

    /// Ends an open upload. Of all who try, one succeeds.
    private func move(
        _ id: ObjectID, to state: GridFSUpload.State, deadline: Deadline
    ) async throws(ServiceError) -> Bool {
        try await GridFSFailure.translated {
            let result = try await uploads.updateOne(
                ["_id": .objectID(id), "state": .string(GridFSUpload.State.open.rawValue)],
                ["$set": ["state": .string(state.rawValue)]], deadline: deadline.instant)
            return result.matched == 1
        }
    }

    /// Removes what an aborted upload or a removed blob has left.
    ///
    /// The document of the blob goes last. Removing many chunks may take longer than the deadline, or be cut short by the end of
    /// the process; for as long as the blob is there, whoever wants it removed comes again. Who reads it is told that there is
    /// none.
    private func clear(_ id: ObjectID, deadline: Deadline) async throws(ServiceError) {
        try await GridFSFailure.translated {
            try await chunks.deleteMany(["files_id": .objectID(id)], deadline: deadline.instant)
            try await files.deleteOne(["_id": .objectID(id)], deadline: deadline.instant)
            try await uploads.updateOne(
                ["_id": .objectID(id)], ["$set": ["clearedAt": .date(Date())]], deadline: deadline.instant)
        }
    }

    /// Removes a chunk that came too late, unless it is part of the blob.
    private func removeUnused(_ late: GridFSChunk, of id: ObjectID, deadline: Deadline) async throws(ServiceError) {
        try await GridFSFailure.translated {
            let file = try await files.findOne(["_id": .objectID(id)], deadline: deadline.instant)
            guard Int64(late.index) >= file?.chunkCount ?? 0 else { return }
            try await chunks.deleteOne(
                ["files_id": .objectID(id), "n": .int32(Int32(late.index))], deadline: deadline.instant)
        }
    }

    private func publish(
        _ id: ObjectID, _ location: StorageKey, totalBytes: Int64, _ contentType: String?, deadline: Deadline
    ) async throws(ServiceError) {
        // The database keeps milliseconds; cut here, the facts are the same before and after.
        let milliseconds = (Date().timeIntervalSince1970 * 1_000).rounded(.down)
        let file = GridFSFile(
            id: id, length: totalBytes, chunkSize: Int32(GridFSFile.chunkBytes),
            uploadDate: Date(timeIntervalSince1970: milliseconds / 1_000), filename: location.description,
            metadata: contentType.map { GridFSFile.Metadata(contentType: $0) })
        try await GridFSFailure.translated {
            do {
                try await files.insert(file, deadline: deadline.instant)
            } catch let error as MongoError where error.kind == .duplicateKey {
                // Committed by another call, or the location is taken; the caller looks.
            }
        }
    }

    private func committed(
        at location: StorageKey, totalBytes: Int64, deadline: Deadline
    ) async throws(ServiceError) -> BlobFacts {
        guard let facts = try await file(at: location, deadline: deadline)?.facts else {
            throw Self.noUpload(to: location)
        }
        guard facts.size == totalBytes else {
            throw ServiceError(.conflict, "There is an object of another size at \"\(location)\".")
        }
        return facts
    }

    /// Compares each block's receipt with that of the chunk that is there.
    private func check(_ blocks: [StagedBlock], of id: ObjectID, deadline: Deadline) async throws(ServiceError) {
        for start in stride(from: 0, to: blocks.count, by: Self.chunksInACheck) {
            let part = blocks[start..<min(start + Self.chunksInACheck, blocks.count)]
            let indexes = start...(part.endIndex - 1)
            let documents = try await GridFSFailure.translated {
                try await chunks.find(
                    Self.filter(id, indexes), sort: ["n": 1], limit: indexes.count, projection: GridFSChunk.summary,
                    deadline: deadline.instant)
            }
            let present = Dictionary(documents.compactMap { GridFSChunk($0) }.map { ($0.index, $0) }) { $1 }
            for block in part {
                guard let chunk = present[block.index], chunk.size == block.size,
                    Self.receipt(of: chunk) == block.receipt
                else {
                    throw ServiceError(
                        .invalidArgument, "Block \(block.index) was not staged as it is named; stage it again.")
                }
            }
        }
    }

    /// The checksum of a block's chunk.
    private static func receipt(of chunk: GridFSChunk) -> String { String(chunk.checksum, radix: 16) }

    private static func noUpload(to location: StorageKey) -> ServiceError {
        ServiceError(.notFound, "There is no upload to \"\(location)\": it is over, or was never begun.")
    }
}
