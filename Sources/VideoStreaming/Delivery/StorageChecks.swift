import Domain
import NIOCore

extension StorageService {
    /// Opens an object. A worker of an earlier version does not know the method; then it is two calls.
    func opened(_ opening: ContentSource.Opening, deadline: Deadline) async throws(ServiceError) -> OpenedObject {
        do throws(ServiceError) {
            let opened = try await open(opening.key, at: opening.start, deadline: deadline)
            return try opened.checked(start: opening.start)
        } catch  where error.code == .unimplemented {
            let facts = try await stat(opening.key, deadline: deadline).checked()
            guard let index = opening.start.chunkIndex(size: facts.size, chunkBytes: facts.chunkBytes) else {
                return OpenedObject(facts: facts, first: nil)
            }
            let address = facts.address(ofChunk: index)
            return OpenedObject(
                facts: facts, first: try await read(address, deadline: deadline).checked(against: address))
        }
    }

    /// Reads parts by one call.
    ///
    /// - Returns: What came of each, in their order; chunks that are those at the addresses.
    func checkedParts(_ addresses: [ChunkAddress], deadline: Deadline) async -> [Result<Chunk, ServiceError>] {
        await checked(addresses, deadline: deadline) { () throws(ServiceError) in
            try await read(together: addresses, deadline: deadline)
        }
    }

    /// Reads chunks, by one read where they are a ``ChunkRun``.
    ///
    /// - Returns: What came of each, in their order; chunks that are those at the addresses.
    func checkedChunks(_ addresses: [ChunkAddress], deadline: Deadline) async -> [Result<Chunk, ServiceError>] {
        await checked(addresses, deadline: deadline) { () throws(ServiceError) in
            guard let run = ChunkRun(around: addresses) else { return await readEach(addresses, deadline: deadline) }
            let whole = try await read(run.address, deadline: deadline).checked(against: run.address)
            return addresses.map { address in
                run.part(address, of: whole).map(Result.success)
                    ?? .failure(
                        ServiceError(
                            .invalidArgument, "Chunk \(address.index) lies past the end of \"\(address.key)\"."))
            }
        }
    }

    /// Reads several chunks by one call. Where that fails for a reason that does not pass, it is a call for each: a worker of an
    /// earlier version does not know the method, and what a worker dies of, or cannot answer, may be one of them alone.
    private func checked(
        _ addresses: [ChunkAddress], deadline: Deadline,
        readingTogether: () async throws(ServiceError) -> [Result<Chunk, ServiceError>]
    ) async -> [Result<Chunk, ServiceError>] {
        let results: [Result<Chunk, ServiceError>]
        do throws(ServiceError) {
            results =
                addresses.count > 1 ? try await readingTogether() : await readEach(addresses, deadline: deadline)
        } catch {
            guard !ChunkReader.mayPass(error) else { return addresses.map { _ in .failure(error) } }
            results = await readEach(addresses, deadline: deadline)
        }
        guard results.count == addresses.count else {
            let defect = ServiceError(.internal, "Storage gave \(results.count) answers to \(addresses.count) reads.")
            return addresses.map { _ in .failure(defect) }
        }
        return zip(results, addresses).map { result, address in
            result.flatMap { chunk in Result { () throws(ServiceError) in try chunk.checked(against: address) } }
        }
    }
}

extension ObjectFacts {
    /// The facts, if they can be.
    ///
    /// - Throws: `internal`, since a storage service that gives others is broken.
    func checked() throws(ServiceError) -> ObjectFacts {
        guard size >= 0, size < Int64.max, StorageLimits.chunkBytesRange.contains(chunkBytes) else {
            throw ServiceError(.internal, "Storage says \"\(key)\" has \(size) bytes in chunks of \(chunkBytes).")
        }
        return self
    }

    /// The address of one of its chunks.
    func address(ofChunk index: Int64) -> ChunkAddress {
        ChunkAddress(key: key, version: version, index: index, chunkBytes: chunkBytes)
    }

    /// Whether a chunk is of this version, and of an object of this size.
    ///
    /// - Throws: `conflict` when it is of another version, `corrupt` when the size is another one.
    func check(_ chunk: Chunk) throws(ServiceError) {
        guard chunk.version == version else {
            throw ServiceError(.conflict, "The bytes of \"\(key)\" were replaced while they were read.")
        }
        guard chunk.objectSize == size else {
            throw ServiceError(.corrupt, "\"\(key)\" has \(size) bytes, and a chunk says \(chunk.objectSize).")
        }
    }
}

extension Chunk {
    /// The chunk, if it is the one at that address.
    ///
    /// - Throws: `conflict` when it is of another version, `corrupt` when its place or length is another one. Neither can be
    ///   mended by trying again.
    func checked(against address: ChunkAddress) throws(ServiceError) -> Chunk {
        guard version == address.version else {
            throw ServiceError(.conflict, "The bytes of \"\(address.key)\" were replaced while they were read.")
        }
        let (start, overflow) = address.index.multipliedReportingOverflow(by: Int64(address.chunkBytes))
        guard !overflow, start >= 0, offset == start, start < objectSize,
            bytes.readableBytes == min(Int64(address.chunkBytes), objectSize - start)
        else {
            throw ServiceError(
                .corrupt,
                """
                Chunk \(address.index) of "\(address.key)", of \(address.chunkBytes) bytes, cannot be the \
                \(bytes.readableBytes) bytes at \(offset) of \(objectSize) that storage sent.
                """)
        }
        return self
    }
}

extension OpenedObject {
    /// The facts and the chunk, if they belong together and to the place that was asked for.
    fileprivate func checked(start: ReadStart) throws(ServiceError) -> OpenedObject {
        let facts = try facts.checked()
        guard let index = start.chunkIndex(size: facts.size, chunkBytes: facts.chunkBytes) else {
            return OpenedObject(facts: facts, first: nil)
        }
        guard let first = try first?.checked(against: facts.address(ofChunk: index)) else {
            throw ServiceError(.corrupt, "Storage sent no bytes of \"\(facts.key)\" where it has some.")
        }
        try facts.check(first)
        return self
    }
}

extension ReadStart {
    /// The first byte of the chunk in which it lies, so that all who begin in one chunk ask for the same.
    func rounded(toChunksOf chunkBytes: Int) -> ReadStart {
        guard case .offset(let offset) = self, chunkBytes > 0 else { return self }
        return .offset(offset - offset % Int64(chunkBytes))
    }
}
