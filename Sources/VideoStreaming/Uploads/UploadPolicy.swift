import Domain

/// What uploads may take: bytes, memory, time.
struct UploadPolicy: Sendable {
    /// The longest body, in bytes.
    var maxBytes: Int64
    /// How many blocks of one upload may be on their way to storage. A block waits for its turn on the disk about as long as
    /// it is worked on: with four of them an upload to a file system took 159 MB/s, with eight 172, with twelve no more.
    var maxBlocksInFlight = 8
    /// How many bytes these may have together: of the large blocks of an object store, four or five are enough.
    var maxBytesInFlight = 20 << 20
    /// How long a client may send nothing.
    var idleLimit: Duration
    /// The least bytes a second that a client has to send.
    var minBytesPerSecond: Int
    /// How long one attempt to hand a block to storage may take.
    var blockDeadline: Duration
    /// How long storage may take none of the upload's blocks before it is given up.
    var stallBudget: Duration
    /// How long storage may take to put the blocks together.
    var commitDeadline: Duration

    /// How many blocks of this size may be on their way, at least one.
    func blocksInFlight(blockBytes: Int) -> Int {
        max(1, min(maxBlocksInFlight, maxBytesInFlight / max(1, blockBytes)))
    }
}
