import Domain

/// What uploads may take: bytes, memory, time.
struct UploadPolicy: Sendable {
    /// The longest body, in bytes.
    var maxBytes: Int64
    /// How many blocks of one upload may be on their way to storage. Four keep a worker busy while the next one is cut.
    var maxBlocksInFlight = 4
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
}
