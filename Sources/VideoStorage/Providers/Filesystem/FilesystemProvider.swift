import Domain
import Logging
import Metrics
import NIOCore

/// Keeps each blob as a file below one directory: the location is the path from there.
///
/// Symbolic links inside the directory work; one that leads out of it is refused, and nothing behind it is read or written.
/// A hard link cannot be told from any other file, and a file system that is mounted inside the directory belongs to it.
/// Names that begin with `.millrace-` are the provider's own.
///
/// The directory may be shared by several workers (a network file system, say) as long as all of them see the same
/// inode numbers and times, and each other's locks.
struct FilesystemProvider: StorageProvider {
    let name = ProviderName.filesystem
    let limits = PartFile.limits
    let root: StorageRoot
    private let readers: BlockingThreads
    private let writers: BlockingThreads
    let turns = WriteTurns()
    private let metrics: StorageMetrics
    private let logger: Logger

    /// Takes a directory that exists.
    ///
    /// - Parameters:
    ///   - root: The path of the directory. The call blocks for as long as it takes to look at it.
    ///   - threads: Where system calls are made; the owner shuts them down when the provider is no longer used.
    ///   - writers: The threads for everything but `stat` and `read`, so that no viewer waits behind a disk that is being
    ///     flushed; `nil` to use the same.
    ///   - metrics: Where refusals are counted.
    ///   - logger: Where refused locations and unexpected failures are written.
    /// - Throws: `invalidArgument` with the remedy when the directory cannot be used.
    init(
        root: String, threads: BlockingThreads, writers: BlockingThreads? = nil, metrics: StorageMetrics, logger: Logger
    ) throws(ServiceError) {
        self.root = try StorageRoot(path: root)
        self.readers = threads
        self.writers = writers ?? threads
        self.metrics = metrics
        self.logger = logger
    }

    func stat(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) -> BlobFacts {
        try await opening(location, deadline: deadline) { _, _, facts in facts }
    }

    func read(
        _ location: StorageKey,
        range: ByteRange,
        validator: BlobValidator,
        deadline: Deadline
    ) async throws(ServiceError) -> BlobBytes {
        try ProviderLimits.check(range)
        let bytes = try await opening(location, deadline: deadline) { file, mark, facts in
            try Self.read(range, of: file, facts: facts, location: location, validator: validator, mark: mark)
        }
        return BlobBytes(bytes)
    }

    /// Opens a file, assures itself that it is a blob below the root, and hands it on, all on one thread.
    private func opening<Value: Sendable>(
        _ location: StorageKey,
        deadline: Deadline,
        _ body: @escaping @Sendable (borrowing OpenFile, CancellationMark, BlobFacts) throws -> Value
    ) async throws(ServiceError) -> Value {
        try await onThread(of: readers, "read", location, deadline: deadline) { mark in
            let file = try OpenFile(path: root.path(of: location))
            let facts = try file.facts()
            guard try root.contains(file.descriptor) else { throw refusal(of: location) }
            guard let facts else {
                throw ServiceError(.notFound, "There is no object \"\(location)\" in the storage: it is no file.")
            }
            return try body(file, mark, facts)
        }
    }

    /// Does work that changes or lists files on a thread for that.
    func writing<Value: Sendable>(
        _ location: StorageKey?,
        deadline: Deadline,
        _ body: @escaping @Sendable (CancellationMark) throws -> Value
    ) async throws(ServiceError) -> Value {
        try await onThread(of: writers, location == nil ? "listed" : "written", location, deadline: deadline, body)
    }

    private func onThread<Value: Sendable>(
        of threads: BlockingThreads,
        _ verb: String,
        _ location: StorageKey?,
        deadline: Deadline,
        _ body: @escaping @Sendable (CancellationMark) throws -> Value
    ) async throws(ServiceError) -> Value {
        try await threads.run(deadline: deadline) { mark throws(ServiceError) in
            do {
                if let location, root.reserves(location) { throw refusal(of: location) }
                return try body(mark)
            } catch let failure as SystemCallFailure {
                throw explain(failure, verb, location)
            } catch let error as ServiceError {
                throw error
            } catch {
                throw ServiceError(.internal, "The storage directory could not be \(verb).", cause: error)
            }
        }
    }

    /// Reads a range of a file in the state that the validator names. The state is looked at before and after, on the
    /// descriptor that is read from, so the bytes are of that one state.
    static func read(
        _ range: ByteRange,
        of file: borrowing OpenFile,
        facts: BlobFacts,
        location: StorageKey,
        validator: BlobValidator,
        mark: CancellationMark
    ) throws -> ByteBuffer {
        guard facts.validator == validator else { throw changed(location) }
        guard range.first < facts.size else {
            throw ServiceError(.invalidArgument, "The range \(range) begins past the end of \"\(location)\".")
        }
        let count = Int(min(range.count, facts.size - range.first))
        let bytes = try file.read(first: range.first, count: count, mark: mark)
        guard try file.facts()?.validator == validator else { throw changed(location) }
        guard bytes.readableBytes == count else {
            throw ServiceError(.corrupt, "\"\(location)\" ends before the size that the file system gives for it.")
        }
        return bytes
    }

    private static func changed(_ location: StorageKey) -> ServiceError {
        ServiceError(.conflict, "\"\(location)\" has changed; ask again for its current version.")
    }

    /// The error for a location that is not to be touched, after writing it down.
    func refusal(of location: StorageKey) -> ServiceError {
        metrics.refusals.increment()
        logger.warning(
            "refused a location that leads out of the storage directory",
            metadata: ["key": "\(PrintableText(location.description))"])
        return ServiceError(
            .invalidArgument, "\"\(location)\" is refused: it leads out of the storage directory or is its own.")
    }

    private func explain(_ failure: SystemCallFailure, _ verb: String, _ location: StorageKey?) -> ServiceError {
        let what = location.map { "\"\($0)\"" } ?? "The storage directory"
        let error = failure.serviceError(for: what, verb: verb)
        switch error.code {
        case .notFound where !root.exists():
            logger.error("the storage directory is gone", metadata: ["directory": "\(root.path)"])
            return ServiceError(.unavailable, "The storage directory is gone; mount or create it.", cause: failure)
        case .notFound:
            break
        default:
            logger.error(
                "a file of the storage directory could not be \(verb)",
                metadata: ["key": "\(PrintableText(location?.description ?? "-"))", "reason": "\(failure)"])
        }
        return error
    }
}
