import Domain
import NIOCore

/// Cuts a body into the blocks of an upload. A value without I/O: bytes go in, blocks come out.
struct BlockCutter: Sendable {
    /// Why a body cannot be taken.
    enum Fault: Error, Equatable {
        /// It is longer than an upload may be.
        case tooLong(maxBytes: Int64)
    }

    /// A block that is ready to be sent.
    struct Block: Sendable, Equatable {
        /// Which block, from 0.
        var index: Int
        /// Its bytes.
        var bytes: ByteBuffer
    }

    /// How many bytes have been taken.
    private(set) var receivedBytes: Int64 = 0
    private let blockBytes: Int
    private let maxBytes: Int64
    private let expectedBytes: Int64?
    private var index = 0
    private var block = ByteBuffer()

    /// A cutter for one body.
    ///
    /// - Parameters:
    ///   - plan: How storage wants it cut.
    ///   - maxBytes: How long a body may be; what the plan has room for counts as well.
    ///   - expectedBytes: How long it is said to be, where that is known: no more memory is asked for than that needs.
    init(plan: UploadPlan, maxBytes: Int64, expectedBytes: Int64?) {
        blockBytes = plan.blockBytes
        let (room, overflow) = Int64(plan.blockBytes).multipliedReportingOverflow(by: Int64(plan.maxBlocks))
        self.maxBytes = overflow ? maxBytes : min(maxBytes, room)
        self.expectedBytes = expectedBytes
    }

    /// Whether the next byte begins a new block.
    var isBetweenBlocks: Bool { block.readableBytes == 0 }

    /// Takes bytes until a block is full, or there are no more.
    ///
    /// - Parameter bytes: What has come; what was taken is removed.
    /// - Returns: The block that is full now; `nil` when all bytes have been taken and it is not.
    /// - Throws: ``Fault/tooLong(maxBytes:)``.
    mutating func take(_ bytes: inout ByteBuffer) throws(Fault) -> Block? {
        guard receivedBytes + Int64(bytes.readableBytes) <= maxBytes else { throw .tooLong(maxBytes: maxBytes) }
        if isBetweenBlocks { block = BlockMemory.buffer(for: nextBlockBytes) }
        let count = min(bytes.readableBytes, blockBytes - block.readableBytes)
        if var part = bytes.readSlice(length: count) { block.writeBuffer(&part) }
        receivedBytes += Int64(count)
        return block.readableBytes == blockBytes ? finish() : nil
    }

    /// The last block, which may be shorter; `nil` when there is nothing left.
    mutating func finish() -> Block? {
        guard !isBetweenBlocks else { return nil }
        defer {
            block = ByteBuffer()
            index += 1
        }
        return Block(index: index, bytes: block)
    }

    private var nextBlockBytes: Int {
        guard let expectedBytes else { return blockBytes }
        return Int(min(Int64(blockBytes), max(1, expectedBytes - receivedBytes)))
    }
}
