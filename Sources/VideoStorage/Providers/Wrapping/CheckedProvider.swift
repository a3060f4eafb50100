import Crypto
import Domain
import NIOCore
import Synchronization

/// Verifies what is read from a provider that gives no checksum for a range, against checksums of our own.
///
/// They are taken of each block when it is staged, travel in its receipt, and are written at the commit as a small blob of
/// their own, before the blob itself. Bytes that do not match are `corrupt`. A blob that was not written through here has
/// none, and is read as it is, or in the way that its provider has for that.
struct CheckedProvider: StorageProvider {
    /// Where the checksums are: this and a hash of the location. No other blob may have such a name.
    private static let prefix = "checksums/"
    /// Of a receipt, see ``StorageProvider/stage(_:at:index:bytes:deadline:)``. The checksums of 5 MiB leave 20 of it to the
    /// provider's own, those of 4 MiB leave 41.
    private static let maxReceiptBytes = 128
    /// Tables in memory. That of a film of 4 GiB has 64 KiB.
    private static let maxTables = 128

    private struct State: Hashable {
        let location: StorageKey
        let validator: BlobValidator
    }

    /// What is known of a blob's checksums.
    private enum Known: Sendable {
        case table(ChecksumTable)
        case unchecked
    }

    private final class Tables: Sendable {
        let known = Mutex(LeastRecentlyUsed<State, Known>(maxCount: maxTables))
    }

    var name: ProviderName { inner.name }
    var limits: ProviderLimits { inner.limits }
    private let inner: any StorageProvider
    private let readerOfOthers: any StorageProvider
    private let tables = Tables()

    /// Wraps a provider whose blocks are whole pieces.
    ///
    /// - Parameters:
    ///   - inner: The provider.
    ///   - others: Reads the blobs that have no checksums here: the same place, perhaps with checksums of its own.
    init(_ inner: any StorageProvider, readingOthersWith others: (any StorageProvider)? = nil) {
        precondition(inner.limits.blockBytes % ChecksumTable.pieceBytes == 0, "a block is no number of whole pieces")
        self.inner = inner
        readerOfOthers = others ?? inner
    }

    // MARK: - Reading

    func stat(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) -> BlobFacts {
        try Self.check(location)
        return try await inner.stat(location, deadline: deadline)
    }

    func read(
        _ location: StorageKey, range: ByteRange, validator: BlobValidator, deadline: Deadline
    ) async throws(ServiceError) -> BlobBytes {
        try Self.check(location)
        try ProviderLimits.check(range)
        guard let table = try await table(of: location, validator: validator, deadline: deadline) else {
            return try await readerOfOthers.read(location, range: range, validator: validator, deadline: deadline)
        }
        guard range.first < table.size else {
            throw ServiceError(.invalidArgument, "The range \(range) begins past the end of \"\(location)\".")
        }
        let piece = Int64(ChecksumTable.pieceBytes)
        let last = min(range.last, table.size - 1)
        var joined = ByteBuffer()
        // Whole pieces around the range, in reads that the provider allows.
        var first = range.first / piece * piece
        while first <= last {
            let end = min(
                (last / piece + 1) * piece, table.size, first + Int64(StorageLimits.chunkBytesRange.upperBound))
            guard let part = ByteRange(first: first, last: end - 1) else { break }
            let read = try await inner.read(location, range: part, validator: validator, deadline: deadline)
            var bytes = read.bytes
            guard Int64(bytes.readableBytes) == part.count,
                table.matches(read.pieceSums ?? ChecksumTable.sums(of: bytes), firstPiece: Int(first / piece))
            else { throw try await mismatch(location, validator: validator, deadline: deadline) }
            // As a rule it is the only one, and stays where it is.
            if joined.readableBytes == 0 { joined = bytes } else { joined.writeBuffer(&bytes) }
            first = end
        }
        joined.moveReaderIndex(forwardBy: Int(range.first - range.first / piece * piece))
        let wanted = joined.readSlice(length: Int(last - range.first + 1)) ?? joined
        return BlobBytes(wanted, checksum: table.sum(of: range.first...last))
    }

    /// Bytes and checksums do not match: because the blob was exchanged between the two, or because they are damaged.
    private func mismatch(
        _ location: StorageKey, validator: BlobValidator, deadline: Deadline
    ) async throws(ServiceError) -> ServiceError {
        tables.known.withLock { $0.remove(State(location: location, validator: validator)) }
        guard try await inner.stat(location, deadline: deadline).validator == validator else {
            return ServiceError(.conflict, "\"\(location)\" has changed; ask again for its current version.")
        }
        return ServiceError(.corrupt, "The bytes of \"\(location)\" do not match their checksums.")
    }

    private func table(
        of location: StorageKey, validator: BlobValidator, deadline: Deadline
    ) async throws(ServiceError) -> ChecksumTable? {
        let state = State(location: location, validator: validator)
        switch tables.known.withLock({ $0.value(for: state) }) {
        case .table(let table): return table
        case .unchecked: return nil
        case nil: break
        }
        let found = try await storedTable(of: location, deadline: deadline)
        // The blob is asked second: a table that was found is at least as old as the state that is compared here.
        let facts = try await inner.stat(location, deadline: deadline)
        guard facts.validator == validator else {
            throw ServiceError(.conflict, "\"\(location)\" has changed; ask again for its current version.")
        }
        guard let found else {
            tables.known.withLock { $0.insert(.unchecked, for: state) }
            return nil
        }
        guard found.size == facts.size else {
            throw ServiceError(.corrupt, "The checksums of \"\(location)\" are those of another blob.")
        }
        tables.known.withLock { $0.insert(.table(found), for: state) }
        return found
    }

    private func storedTable(of location: StorageKey, deadline: Deadline) async throws(ServiceError) -> ChecksumTable? {
        let place = try Self.place(of: location)
        guard let facts = try await facts(of: place, deadline: deadline) else { return nil }
        guard let range = ByteRange(first: 0, last: facts.size - 1) else { throw Self.damaged(location) }
        let stored = try await inner.read(place, range: range, validator: facts.validator, deadline: deadline)
        guard let table = ChecksumTable(stored.bytes) else { throw Self.damaged(location) }
        return table
    }

    /// The facts of a blob, `nil` when there is none.
    private func facts(of location: StorageKey, deadline: Deadline) async throws(ServiceError) -> BlobFacts? {
        do {
            return try await inner.stat(location, deadline: deadline)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    // MARK: - Writing

    func begin(
        _ location: StorageKey, contentType: String?, deadline: Deadline
    ) async throws(ServiceError) -> UploadHandle {
        try Self.check(location)
        return try await inner.begin(location, contentType: contentType, deadline: deadline)
    }

    func stage(
        _ handle: UploadHandle, at location: StorageKey, index: Int, bytes: ByteBuffer, deadline: Deadline
    ) async throws(ServiceError) -> String {
        try Self.check(location)
        let receipt = try await inner.stage(handle, at: location, index: index, bytes: bytes, deadline: deadline)
        let checked = CheckedReceipt(sums: ChecksumTable.sums(of: bytes), inner: receipt).description
        guard checked.utf8.count <= Self.maxReceiptBytes else {
            throw ServiceError(.internal, "The provider \"\(name)\" gives receipts that are too long to be checked.")
        }
        return checked
    }

    func commit(
        _ handle: UploadHandle, at location: StorageKey, blocks: [StagedBlock], contentType: String?, deadline: Deadline
    ) async throws(ServiceError) -> BlobFacts {
        try Self.check(location)
        let size = try limits.totalBytes(of: blocks)
        var sums: [UInt32] = []
        var named: [StagedBlock] = []
        for block in blocks {
            guard let receipt = CheckedReceipt(block.receipt) else { throw Self.notAsStaged(block) }
            sums += receipt.sums
            named.append(StagedBlock(index: block.index, size: block.size, receipt: receipt.inner))
        }
        guard let table = ChecksumTable(size: size, sums: sums) else {
            throw ServiceError(.invalidArgument, "The blocks of \"\(location)\" are not as they were staged.")
        }
        // The checksums of a blob that is there already stay as they are, whatever the inner commit says of it.
        if try await facts(of: location, deadline: deadline) == nil {
            try await put(table, for: location, deadline: deadline)
        }
        return try await inner.commit(
            handle, at: location, blocks: named, contentType: contentType, deadline: deadline)
    }

    private func put(
        _ table: ChecksumTable, for location: StorageKey, deadline: Deadline
    ) async throws(ServiceError) {
        let place = try Self.place(of: location)
        // A commit that is repeated finds its table; one whose blocks are others than before puts its own.
        if let stored = try await storedTable(of: location, deadline: deadline) {
            if stored == table { return }
            try await inner.delete(place, deadline: deadline)
        }
        do {
            try await write(table, at: place, deadline: deadline)
        } catch {
            // The same commit, made by two workers at once: the other one was first.
            guard error.code == .conflict, try await storedTable(of: location, deadline: deadline) == table else {
                throw error
            }
        }
    }

    private func write(_ table: ChecksumTable, at place: StorageKey, deadline: Deadline) async throws(ServiceError) {
        let bytes = table.encoded
        let handle = try await inner.begin(place, contentType: nil, deadline: deadline)
        let receipt = try await inner.stage(handle, at: place, index: 0, bytes: bytes, deadline: deadline)
        _ = try await inner.commit(
            handle, at: place, blocks: [StagedBlock(index: 0, size: bytes.readableBytes, receipt: receipt)],
            contentType: nil, deadline: deadline)
    }

    func abort(_ handle: UploadHandle, at location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try await inner.abort(handle, at: location, deadline: deadline)
    }

    /// Removes the checksums as well, also those that a commit has left which was not carried out.
    func delete(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try Self.check(location)
        try await inner.delete(location, deadline: deadline)
        try await inner.delete(Self.place(of: location), deadline: deadline)
    }

    // MARK: - Finding

    func list(after cursor: PageCursor?, limit: Int, deadline: Deadline) async throws(ServiceError) -> BlobPage {
        var page = try await inner.list(after: cursor, limit: limit, deadline: deadline)
        page.entries.removeAll { Self.isOwn($0.location) }
        return page
    }

    func uploads(
        after cursor: PageCursor?, limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> BegunUploadPage {
        try await inner.uploads(after: cursor, limit: limit, deadline: deadline)
    }

    // MARK: - Names

    private static func place(of location: StorageKey) throws(ServiceError) -> StorageKey {
        let hash = SHA256.hash(data: Array(location.description.utf8))
        return try StorageKey(prefix + hash.map { String(UInt16($0) | 0x100, radix: 16).dropFirst() }.joined())
    }

    private static func isOwn(_ location: StorageKey) -> Bool {
        location.description.utf8.starts(with: prefix.utf8)
    }

    /// Whether checksums of a blob are kept there.
    static func isTable(_ location: StorageKey) -> Bool {
        let hash = location.description.utf8.dropFirst(prefix.utf8.count)
        return isOwn(location) && hash.count == 2 * SHA256Digest.byteCount
            && hash.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    private static func check(_ location: StorageKey) throws(ServiceError) {
        guard !isOwn(location) else {
            throw ServiceError(.invalidArgument, "\"\(location)\" is refused: checksums are kept below \(prefix).")
        }
    }

    private static func notAsStaged(_ block: StagedBlock) -> ServiceError {
        ServiceError(.invalidArgument, "Block \(block.index) was not staged as it is named; stage it again.")
    }

    private static func damaged(_ location: StorageKey) -> ServiceError {
        ServiceError(.corrupt, "The checksums of \"\(location)\" are damaged.")
    }
}
