import Crypto
import Domain
import Metrics
import NIOCore

/// Takes a body in and has it kept: cuts it into blocks, hands a bounded number of them to storage at once, and takes the
/// checksum as the bytes go by. Its memory is bounded by the budget, however long the body is and whoever is slow.
struct UploadTransfer: Sendable {
    /// Where the blocks go.
    let uploads: any UploadService
    /// Bounds the bytes of all uploads together.
    let budget: ByteBudget
    /// Limits.
    let policy: UploadPolicy

    /// A body that has been taken in.
    struct Received: Sendable {
        /// Its blocks, in order.
        var blocks: [StagedBlock]
        /// Its SHA-256.
        var digest: ContentDigest
        /// How long it was.
        var bytes: Int64
    }

    /// Takes the whole body in.
    ///
    /// - Throws: ``Refusal``, `CancellationError` when the client has gone.
    func receive(_ body: UploadBody, _ upload: UploadID, _ plan: UploadPlan) async throws -> Received {
        try await body.read(policy) { pieces in
            try await transfer(pieces, length: body.length, upload, plan)
        }
    }

    private func transfer(
        _ pieces: UploadBody.Pieces, length: Int64?, _ upload: UploadID, _ plan: UploadPlan
    ) async throws -> Received {
        let maxInFlight = policy.blocksInFlight(blockBytes: plan.blockBytes)
        let counter = Counter(label: "millrace_gateway_received_bytes_total")
        return try await withThrowingTaskGroup(of: StagedBlock.self) { group in
            var cutter = BlockCutter(plan: plan, maxBytes: policy.maxBytes, expectedBytes: length)
            var hash = SHA256()
            var staged: [StagedBlock] = []
            var inFlight = 0
            var room: ByteBudget.Reservation?
            try await pieces { piece in
                var piece = piece
                counter.increment(by: piece.readableBytes)
                piece.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
                while piece.readableBytes > 0 {
                    if room == nil {
                        while inFlight >= maxInFlight, let block = try await group.next() {
                            staged.append(block)
                            inFlight -= 1
                        }
                        room = try await reserve(plan.blockBytes)
                    }
                    guard let block = try cut(&cutter, &piece) else { break }
                    stage(block, of: upload, in: &group, holding: room.take())
                    inFlight += 1
                }
            }
            if let block = cutter.finish() { stage(block, of: upload, in: &group, holding: room.take()) }
            while let block = try await group.next() { staged.append(block) }
            return Received(
                blocks: staged.sorted { $0.index < $1.index }, digest: ContentDigest(hash.finalize()),
                bytes: cutter.receivedBytes)
        }
    }

    private func reserve(_ bytes: Int) async throws(Refusal) -> ByteBudget.Reservation {
        do throws(ServiceError) {
            return try await budget.reserve(bytes, deadline: .after(policy.stallBudget))
        } catch {
            throw Refusal(error)
        }
    }

    private func cut(
        _ cutter: inout BlockCutter, _ piece: inout ByteBuffer
    ) throws(Refusal) -> BlockCutter.Block? {
        do throws(BlockCutter.Fault) {
            return try cutter.take(&piece)
        } catch {
            switch error {
            case .tooLong(let maxBytes): throw .tooLong(maxBytes)
            }
        }
    }

    /// The room is given back when the block is in storage.
    private func stage(
        _ block: BlockCutter.Block, of upload: UploadID, in group: inout ThrowingTaskGroup<StagedBlock, any Error>,
        holding room: ByteBudget.Reservation?
    ) {
        let retries = PersistentCall(
            // A block that was changed on its way is sent again.
            attemptDeadline: policy.blockDeadline, giveUp: .after(policy.stallBudget), alsoRetried: [.corrupt])
        group.addTask { [uploads] in
            defer { withExtendedLifetime(room) {} }
            do throws(ServiceError) {
                return try await retries.perform { (deadline) throws(ServiceError) in
                    try await uploads.stage(
                        UploadBlock(upload: upload, index: block.index, bytes: block.bytes), deadline: deadline)
                }
            } catch {
                throw Refusal(.explained(error))
            }
        }
    }
}

extension ServiceError {
    /// Puts an error of a stage or a commit (but for an invalid argument of the latter) in the terms of the client, who knows nothing of blocks.
    static func explained(_ error: ServiceError) -> ServiceError {
        switch error.code {
        case .notFound:
            ServiceError(.unavailable, "The upload was given up meanwhile; send it again.", cause: error)
        case .invalidArgument:
            // The gateway is at fault here, never the client.
            ServiceError(.internal, "Storage refuses a part of an upload.", cause: error)
        case .conflict:
            ServiceError(
                .conflict, "Another upload to this video was finished first, and this one was not kept.", cause: error)
        default:
            error
        }
    }
}
