import Domain
import Hummingbird
import NIOCore
import Synchronization

/// A request's body as it comes, and whether it came to its end.
///
/// Hummingbird ends a body in the same way when all of it was sent and when the connection broke, so that half a film could
/// pass for a whole one. ``RequestBodyHandler`` marks the true end; without the mark the body is truncated.
struct UploadBody: Sendable {
    /// The bytes.
    let body: RequestBody
    /// How many there are, where the client says so.
    let length: Int64?
    /// Whether there is a body at all.
    let isPresent: Bool
    /// The connection.
    let channel: any Channel
    /// Whether the client waits to be told that it may send.
    let expectsContinue: Bool

    /// The body of a request.
    init(_ request: Request, channel: any Channel) {
        body = request.body
        length = request.headers[.contentLength].flatMap { Int64($0) }
        isPresent = length ?? 0 > 0 || request.headers[.transferEncoding] != nil
        self.channel = channel
        expectsContinue = request.headers[.expect]?.lowercased() == "100-continue"
    }

    /// What reads the body's pieces, none of them empty; the next one is read when the closure returns.
    typealias Pieces = (_ take: (ByteBuffer) async throws -> Void) async throws -> Void

    /// Has the body read, as long as the client sends fast enough.
    ///
    /// - Parameters:
    ///   - policy: How fast that is.
    ///   - work: Reads the pieces.
    /// - Returns: What the work returns.
    /// - Throws: ``Refusal/truncated``, ``Refusal/idle(_:)``, ``Refusal/tooSlow(_:)``, `CancellationError` when the client has
    ///   gone, what the work throws.
    func read<Value: Sendable>(
        _ policy: UploadPolicy, _ work: @escaping @Sendable (Pieces) async throws -> Value
    ) async throws -> Value {
        let pace = SharedPace(UploadPace(idleLimit: policy.idleLimit, minBytesPerSecond: policy.minBytesPerSecond))
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await work { take in try await self.forEachPiece(pace, take) } }
            group.addTask {
                try await Self.watch(pace, policy)
                return nil
            }
            defer { group.cancelAll() }
            guard let value = try await group.next() ?? nil else { throw CancellationError() }
            return value
        }
    }

    /// All of a short body.
    func collected(upTo maxBytes: Int, policy: UploadPolicy) async throws(Refusal) -> ByteBuffer {
        do {
            return try await read(policy) { pieces in
                var bytes = ByteBuffer()
                try await pieces { piece in
                    guard bytes.readableBytes + piece.readableBytes <= maxBytes else {
                        throw Refusal(ServiceError(.tooLarge, "The body may have \(maxBytes) bytes."))
                    }
                    bytes.writeImmutableBuffer(piece)
                }
                return bytes
            }
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw .truncated
        }
    }

    /// Ends with a refusal when the client is too slow, and never otherwise.
    private static func watch(_ pace: SharedPace, _ policy: UploadPolicy) async throws {
        let pause = min(.milliseconds(250), policy.idleLimit / 4)
        while true {
            try await Task.sleep(for: pause)
            switch pace.value.withLock({ $0.fault(at: .now) }) {
            case nil: continue
            case .idle: throw Refusal.idle(policy.idleLimit)
            case .tooSlow: throw Refusal.tooSlow(policy.minBytesPerSecond)
            }
        }
    }

    private func forEachPiece(_ pace: SharedPace, _ take: (ByteBuffer) async throws -> Void) async throws {
        guard isPresent else { return }
        if expectsContinue { channel.pipeline.triggerUserOutboundEvent(RequestBodyHandler.Wanted(), promise: nil) }
        var iterator = body.makeAsyncIterator()
        while true {
            pace.value.withLock { $0.waits(at: .now) }
            let piece: ByteBuffer?
            do {
                piece = try await iterator.next()
            } catch {
                try Task.checkCancellation()
                throw Refusal.truncated
            }
            try Task.checkCancellation()
            guard let piece else { throw Refusal.truncated }
            pace.value.withLock { $0.received(piece.readableBytes, at: .now) }
            if RequestBodyHandler.isEnd(piece) { return }
            try await take(piece)
        }
    }
}

/// A pace that two tasks look at.
private final class SharedPace: Sendable {
    let value: Mutex<UploadPace>

    init(_ pace: UploadPace) {
        value = Mutex(pace)
    }
}
