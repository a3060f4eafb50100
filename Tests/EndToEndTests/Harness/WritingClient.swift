import NIOCore
import TestKit

/// A client that changes videos over HTTP. Each request has a connection of its own, and an end: what takes longer than
/// ``patience`` is an error of the gateway.
struct WritingClient: Sendable {
    /// Longer than all deadlines of a gateway together.
    static let patience = Duration.seconds(120)
    /// The field that gives the right to write.
    static let authorization = "Authorization: Bearer \(TestStack.writeToken)"

    /// The gateway's.
    let port: Int

    /// A body to send.
    struct Body: Sendable {
        var bytes: ByteBuffer
        /// Without Content-Length.
        var isChunked = false
        /// Sent in pieces of so many bytes.
        var pieceBytes = 65_536
        /// How long to wait after each piece.
        var pause: Duration?
    }

    /// What became of a request.
    struct Delivery: Sendable {
        /// The answer; `nil` when none came.
        var response: RawHTTPResponse?
        /// Whether the body was sent to its end. What was not cannot have been taken in.
        var wasSentWhole: Bool

        /// The status; 0 when no answer came.
        var status: Int { response?.status ?? 0 }
    }

    /// A request without a body.
    func send(_ method: String, _ target: String, _ fields: [String] = []) async throws -> Delivery {
        try await send(method, target, fields, body: nil)
    }

    /// `PUT /videos/{id}/content`.
    func put(_ id: String, _ body: Body, _ fields: [String] = []) async throws -> Delivery {
        try await send("PUT", "/videos/\(id)/content", fields, body: body)
    }

    /// A request with a JSON body.
    func send(_ method: String, _ target: String, json: String, _ fields: [String] = []) async throws -> Delivery {
        let fields = ["Content-Type: application/json"] + fields
        return try await send(method, target, fields, body: Body(bytes: ByteBuffer(string: json)))
    }

    private func send(
        _ method: String, _ target: String, _ fields: [String], body: Body?
    ) async throws -> Delivery {
        try await withinPatience("\(method) \(target)") {
            var delivery = Delivery(response: nil, wasSentWhole: false)
            do {
                try await RawHTTPConnection.connected(toPort: port) { connection in
                    var length: [String] = []
                    if let body {
                        length = [
                            body.isChunked
                                ? "Transfer-Encoding: chunked" : "Content-Length: \(body.bytes.readableBytes)"
                        ]
                    }
                    do {
                        try await connection.request(method, target, [Self.authorization] + fields + length)
                        if let body { try await Self.send(body, over: connection) }
                        delivery.wasSentWhole = true
                    } catch {
                        // It may have answered before the end, and stopped reading.
                        try Task.checkCancellation()
                    }
                    delivery.response = try await connection.response()
                }
            } catch {
                // Nobody listens, or the gateway died.
                try Task.checkCancellation()
            }
            return delivery
        }
    }

    private static func send(_ body: Body, over connection: RawHTTPConnection) async throws {
        var rest = body.bytes
        while let piece = rest.readSlice(length: min(body.pieceBytes, rest.readableBytes)), piece.readableBytes > 0 {
            if body.isChunked { try await connection.send(String(piece.readableBytes, radix: 16) + "\r\n") }
            try await connection.send(piece)
            if body.isChunked { try await connection.send("\r\n") }
            if let pause = body.pause { try await Task.sleep(for: pause) }
        }
        if body.isChunked { try await connection.send("0\r\n\r\n") }
    }

    private func withinPatience(
        _ what: String, _ work: @escaping @Sendable () async throws -> Delivery
    ) async throws -> Delivery {
        try await withThrowingTaskGroup(of: Delivery.self) { group in
            group.addTask { try await work() }
            group.addTask {
                try await Task.sleep(for: Self.patience)
                throw TooLate(description: "no answer to \(what) within \(Self.patience)")
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }
}

extension WritingClient {
    /// A request that is repeated until there is an answer that is no passing failure.
    ///
    /// - Returns: The answer, and how many attempts had none before it.
    func persistently(
        _ attempt: (WritingClient) async throws -> Delivery
    ) async throws -> (response: RawHTTPResponse, lost: Int) {
        var lost = 0
        let end = ContinuousClock.now + Self.patience
        while ContinuousClock.now < end {
            let delivery = try await attempt(self)
            if let response = delivery.response, ![503, 504].contains(response.status) { return (response, lost) }
            lost += 1
            try await Task.sleep(for: .milliseconds(50))
        }
        throw TooLate(description: "only failures that pass within \(Self.patience)")
    }
}
