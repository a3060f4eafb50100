import Domain
import NIOCore

/// Reads a blob from its first byte to its last, piece by piece, at a pace.
struct BlobReader {
    /// The largest piece that a provider gives.
    private static let pieceBytes = StorageLimits.chunkBytesRange.upperBound
    /// The smallest piece that is worth a request, however low the rate.
    private static let leastPieceBytes = 4_096
    /// How long one piece may take, in seconds. There is no other limit: as long as pieces come, the work goes on.
    private static let pieceSeconds = 60

    private let provider: any StorageProvider
    private let location: StorageKey
    private let validator: BlobValidator
    private let size: Int64
    private let pieceBytes: Int
    private var pacer: Pacer
    private(set) var offset: Int64 = 0
    private(set) var checksum = Checksum()

    /// Prepares to read a blob in the state that an entry or the provider's facts name.
    init(
        _ provider: any StorageProvider, _ location: StorageKey, validator: BlobValidator, size: Int64,
        bytesPerSecond: Int64?
    ) {
        self.provider = provider
        self.location = location
        self.validator = validator
        self.size = size
        // At a rate, no more than a second's worth, so that it is seen to go on.
        pieceBytes =
            bytesPerSecond.map { Int(max(Int64(Self.leastPieceBytes), min(Int64(Self.pieceBytes), $0))) }
            ?? Self.pieceBytes
        pacer = Pacer(bytesPerSecond: bytesPerSecond, now: .now)
    }

    /// The next bytes, at most that many; `nil` at the end.
    mutating func next(upTo count: Int) async throws(ServiceError) -> ByteBuffer? {
        guard offset < size else { return nil }
        let count = min(Int64(min(count, pieceBytes)), size - offset)
        guard let range = ByteRange(first: offset, last: offset + count - 1) else {
            throw ServiceError(.internal, "\"\(location)\" has no bytes from \(offset) on.")
        }
        let bytes = try await provider.read(
            location, range: range, validator: validator, deadline: .after(.seconds(Self.pieceSeconds))
        ).bytes
        guard Int64(bytes.readableBytes) == count else {
            throw ServiceError(.corrupt, "\"\(location)\" is shorter than the catalogue says.")
        }
        checksum.update(bytes)
        offset += count
        try await rest(until: pacer.took(bytes.readableBytes, now: .now))
        return bytes
    }

    /// Reads what is left, for its checksum.
    ///
    /// - Parameter onProgress: Told after each piece how far it has come.
    /// - Returns: The checksum of all bytes.
    /// - Throws: What reading throws, and what it is told throws.
    mutating func finish(
        onProgress: (_ offset: Int64) async throws(ServiceError) -> Void = { _ in }
    ) async throws(ServiceError) -> String {
        while try await next(upTo: Self.pieceBytes) != nil { try await onProgress(offset) }
        return checksum.text
    }

    private func rest(until instant: ContinuousClock.Instant) async throws(ServiceError) {
        guard instant > .now else { return }
        do {
            try await Task.sleep(until: instant, clock: .continuous)
        } catch {
            throw ServiceError(.deadlineExceeded, "The request was cancelled before it was answered.")
        }
    }
}
