import Domain
import Hummingbird
import Logging
import NIOCore
import ServiceKit
import TestKit

@testable import VideoStreaming

/// A gateway on a free port of this machine, over services in memory that hold one video.
struct GatewayFixture {
    let metadata = InMemoryMetadata()
    let storage: InMemoryStorage
    let uploads: InMemoryUploads
    let log = LogRecorder()
    let metrics = DeliveryMetrics()
    var configuration = GatewayConfiguration()
    var checks: [ReadinessCheck] = []
    let draining = Draining()
    var registry: MetricsRegistry? = MetricsRegistry()

    static let idText = "5d9e690ad76fe06a3d7ae416"
    static let target = "/video?id=\(idText)"

    let id: VideoID
    let key: StorageKey
    let version: ObjectVersion

    static let token = "a token of twenty bytes".replacing(" ", with: "-")
    static let authorization = "Authorization: Bearer \(token)"

    init(plan: UploadPlan = UploadPlan(blockBytes: 4_096, maxBlocks: 10_000)) throws {
        storage = InMemoryStorage()
        uploads = InMemoryUploads(storage, plan: plan)
        configuration.writeToken = Self.token
        id = try Self.id(Self.idText)
        key = try StorageKey("films/mill race.mp4")
        version = try Self.version("v1")
        configuration.host = "127.0.0.1"
        configuration.port = 0
        metadata.put(Video(id: id, videoPath: key.description, title: "Mill race"))
    }

    /// Puts the video's bytes, a pattern in which no two chunks are alike.
    @discardableResult
    func putVideo(bytes count: Int, chunkBytes: Int = 4_096) -> ByteBuffer {
        let bytes = Self.pattern(count)
        storage.put(key, bytes: bytes, version: version, chunkBytes: chunkBytes)
        return bytes
    }

    /// Serves while the work lasts.
    func serve<Value: Sendable>(_ work: @escaping @Sendable (_ port: Int) async throws -> Value) async throws -> Value {
        var logger = Logger(label: "test", factory: { _ in log })
        logger.logLevel = .trace
        let (ports, portSink) = AsyncStream<Int>.makeStream()
        let cleanup = UploadCleanup(uploads, logger: logger)
        let source = ContentSource(
            metadata: metadata, storage: storage, cacheBytes: configuration.cacheBytes, metrics: metrics,
            logger: logger)
        let gateway = makeGateway(
            metadata: metadata, storage: storage, source: source, uploads: uploads, cleanup: cleanup,
            health: Health(checks, draining: draining), registry: registry, configuration: configuration,
            logger: logger,
            onServerRunning: { channel in
                if let port = channel.localAddress?.port { portSink.yield(port) }
                portSink.finish()
            })
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await cleanup.run() }
            group.addTask { try await source.run() }
            group.addTask {
                try await gateway.run()
                portSink.finish()
            }
            defer { group.cancelAll() }
            var iterator = ports.makeAsyncIterator()
            guard let port = await iterator.next() else {
                try await group.waitForAll()
                throw GatewayDidNotStart()
            }
            return try await work(port)
        }
    }

    struct GatewayDidNotStart: Error {}
    struct Malformed: Error {}

    static func id(_ text: String) throws -> VideoID {
        guard let id = VideoID(text) else { throw Malformed() }
        return id
    }

    static func version(_ text: String) throws -> ObjectVersion {
        guard let version = ObjectVersion(text) else { throw Malformed() }
        return version
    }

    /// Bytes that differ from chunk to chunk: a noise of 65,537 bytes, a length that fits no chunk, again and again.
    static func pattern(_ count: Int) -> ByteBuffer {
        var random = SeededRandom(seed: 1)
        var noise = ByteBuffer()
        while noise.readableBytes < 65_537 { noise.writeInteger(random.next()) }
        noise.moveWriterIndex(to: 65_537)
        var bytes = ByteBuffer()
        bytes.reserveCapacity(count + noise.readableBytes)
        while bytes.readableBytes < count { bytes.writeImmutableBuffer(noise) }
        return bytes.getSlice(at: 0, length: count) ?? ByteBuffer()
    }
}
