import Domain

/// Everything that can be set for the gateway. The defaults are for one gateway process on a small machine.
///
/// | Variable | Property | Default |
/// |---|---|---|
/// | `HOST` | ``host`` | `0.0.0.0` |
/// | `PORT` | ``port`` | 4000 |
/// | `METRICS_PORT` | ``metricsPort`` | none |
/// | `READ_AHEAD_CHUNKS` | ``readAheadChunks`` | 24 |
/// | `READ_AHEAD_BYTES` | ``readAheadBytes`` | 67108864 |
/// | `CACHE_BYTES` | ``cacheBytes`` | 268435456 |
/// | `CORS_ORIGIN` | ``crossOrigin`` | `*` |
/// | `REQUEST_DEADLINE_SECONDS` | ``requestDeadlineSeconds`` | 5 |
/// | `CHUNK_DEADLINE_SECONDS` | ``chunkDeadlineSeconds`` | 5 |
/// | `STALL_SECONDS` | ``stallSeconds`` | 30 |
/// | `VIEWER_STALL_SECONDS` | ``viewerStallSeconds`` | 60 |
/// | `MAX_CONNECTIONS` | ``maxConnections`` | 16384 |
/// | `IDLE_CONNECTION_SECONDS` | ``idleConnectionSeconds`` | 60 |
/// | `MAX_HEADER_BYTES` | ``maxHeaderBytes`` | 16384 |
/// | `MAX_HEADER_FIELDS` | ``maxHeaderFields`` | 100 |
/// | `MAX_TARGET_BYTES` | ``maxTargetBytes`` | 8192 |
/// | `TLS_CERTIFICATE`, `TLS_KEY` | ``identity`` | none |
/// | `WRITE_TOKEN` | ``writeToken`` | none |
/// | `MAX_UPLOAD_BYTES` | ``maxUploadBytes`` | 68719476736 |
/// | `UPLOAD_BYTES` | ``uploadBytes`` | 25165824 |
/// | `UPLOAD_IDLE_SECONDS` | ``uploadIdleSeconds`` | 30 |
/// | `MIN_UPLOAD_BYTES_PER_SECOND` | ``minUploadBytesPerSecond`` | 4096 |
/// | `UPLOAD_COMMIT_SECONDS` | ``uploadCommitSeconds`` | 120 |
struct GatewayConfiguration: Sendable {
    /// The address to listen at; all IPv4 interfaces by default, as a container needs it.
    var host = "0.0.0.0"
    /// The TCP port to listen at, 0 for any free one; the book's services stand at 4000 and above.
    var port = 4_000
    /// The TCP port where health and metrics are told over plain HTTP; without one metrics are told at ``port``.
    var metricsPort: Int?
    /// The most chunks that one stream holds or waits for. They are six runs of four (``ChunkRun``), of which one is sent while
    /// the others are on their way: S3's test server gave 330 MB/s with four of them, 335 with five, 353 with six, and GridFS 315,
    /// 327, 322. What they may cost is bounded by the stream's equal share of ``readAheadBytes``.
    var readAheadChunks = 24
    /// How many bytes all streams together may hold ahead of their viewers: 256 chunks of 256 KiB, so that 11 streams read ahead as
    /// far as they may, and 256 streams one chunk.
    var readAheadBytes = 64 << 20
    /// How many bytes of chunks are kept for the next viewers; 0 for none. 256 MiB are half an hour of film at 1 Mbit/s, or
    /// the beginnings of a thousand films, and leave a gateway with 2,000 viewers below 512 MB.
    var cacheBytes = 256 << 20
    /// The origin whose pages may read what is sent, `*` for any, `nil` for none.
    var crossOrigin: String? = "*"
    /// The longest target of a request: what browsers and proxies take.
    var maxTargetBytes = 8_192
    /// How long a request may take until its first byte is ready: the viewer gets an answer while still patient.
    var requestDeadlineSeconds = 5.0
    /// How long one attempt to read a chunk in mid-stream may take; shorter than the stall budget, so that a worker that
    /// never answers leaves time to ask another.
    var chunkDeadlineSeconds = 5.0
    /// How long a stream may stand still before it is cut. Players buffer about half a minute, and a worker, a broker or
    /// a database is restarted in less.
    var stallSeconds = 30.0
    /// How long a viewer may take for what has been handed to its connection, a chunk of 256 KiB at the most, before it is cut:
    /// whoever takes 4 KiB a second is not.
    var viewerStallSeconds = 60.0
    /// How many connections there may be; further ones wait in the kernel until one of them ends. Each costs about
    /// 20 KiB while it is idle.
    var maxConnections = 16_384
    /// How long a connection may be without a request, or with an unfinished one, before it is closed.
    var idleConnectionSeconds = 60.0
    /// The most bytes of a request's header fields, of one alone or of all together. Browsers send less than 2 KiB.
    var maxHeaderBytes = 16_384
    /// The most header fields of a request. Browsers send about 20.
    var maxHeaderFields = 100
    /// What is shown to clients that come over TLS; without it nobody can. With it everybody has to.
    var identity: ServerIdentity?
    /// Who knows it may write; without it nobody may.
    var writeToken: String?
    /// The longest upload, in bytes: 64 GiB, a film of some hours as it leaves an editor.
    var maxUploadBytes: Int64 = 64 << 30
    /// How many bytes all uploads together may hold in memory: 24 blocks of 1 MiB, or 3 of the largest. What the
    /// allocator keeps between blocks of several MiB comes on top: with twenty uploads to Azure a gateway took 145 to 153 MB where
    /// this was 32 MiB, and 133 with 24.
    var uploadBytes = 24 << 20
    /// How long a client may send nothing in the middle of a body. Shorter than an idle connection may be, so that it is told
    /// why.
    var uploadIdleSeconds = 30.0
    /// The least bytes a second of an upload; 0 for no limit. The slowest mobile networks are faster.
    var minUploadBytesPerSecond = 4_096
    /// How long storage may take to put an upload together. A large one is copied once by some providers.
    var uploadCommitSeconds = 120.0

    /// The defaults.
    init() {}

    /// The limits of each stream.
    var delivery: DeliveryLimits {
        DeliveryLimits(
            readAheadChunks: readAheadChunks,
            chunkDeadline: Self.duration(chunkDeadlineSeconds),
            stallBudget: Self.duration(stallSeconds))
    }

    /// The limits of uploads.
    var uploads: UploadPolicy {
        UploadPolicy(
            maxBytes: maxUploadBytes,
            idleLimit: Self.duration(uploadIdleSeconds),
            minBytesPerSecond: minUploadBytesPerSecond,
            blockDeadline: Self.duration(chunkDeadlineSeconds * 2),
            stallBudget: Self.duration(stallSeconds),
            commitDeadline: Self.duration(uploadCommitSeconds))
    }

    /// How long a viewer may take nothing.
    var viewerStall: Duration { Self.duration(viewerStallSeconds) }

    /// How long a connection may be idle.
    var idleTime: Duration { Self.duration(idleConnectionSeconds) }

    /// When a request that starts now must have its first byte ready.
    var requestDeadline: Deadline { .after(Self.duration(requestDeadlineSeconds)) }

    /// From a millisecond to a day; a number outside, or none, is taken as the nearer of the two. So no setting can
    /// overflow a clock.
    private static func duration(_ seconds: Double) -> Duration {
        .seconds(max(0.001, min(86_400, seconds)))
    }
}
