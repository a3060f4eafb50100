import Domain
import NIOCore
import TestKit
import Testing

extension EndToEndTests {
    /// What one gateway changes and another remembers.
    struct OtherGatewayTests {
        enum Change: String, CaseIterable {
            case patch, put, delete
        }

        /// A gateway remembers a record for a second. What is seen sooner it was told of by an event. The machine may be slow
        /// for a moment, and one quick time is proof enough; without the event there would be none.
        @Test(arguments: Change.allCases)
        func aChangeThroughOneGatewayIsSeenThroughAnotherBeforeItForgets(change: Change) async throws {
            try await TestStack.running(.init(gateways: 2)) { stack in
                var times: [Duration] = []
                for number in 0..<5 {
                    times.append(try await timeUntilSeen(change, number, stack))
                    if times[number] < .milliseconds(700) { break }
                }
                tellFigure("\(change) through one gateway, seen through another after \(times)")
                #expect(times.contains { $0 < .milliseconds(700) }, "\(times)")
            }
        }

        /// How long after it was read through the other gateway a video is seen as changed there.
        private func timeUntilSeen(_ change: Change, _ number: Int, _ stack: TestStack) async throws -> Duration {
            let video = try await stack.putVideo("\(change.rawValue)-\(number).mp4", bytes: 100_000, seed: 51)
            let (one, other) = (stack.all(.gateway)[0], stack.all(.gateway)[1])
            let client = WritingClient(port: one.port)
            return try await RawHTTPConnection.connected(toPort: other.port) { connection in
                let began = ContinuousClock.now
                let before = try await look(at: video, over: &connection)
                try #require(before.status == 206)
                let delivery =
                    switch change {
                    case .patch: try await client.send("PATCH", "/videos/\(video.id)", json: #"{"title": "Another"}"#)
                    case .put: try await client.put(video.id, .init(bytes: ByteBuffer(string: "other bytes")))
                    case .delete: try await client.send("DELETE", "/videos/\(video.id)")
                    }
                try #require((200...204).contains(delivery.status), "\(String(describing: delivery.response))")
                while began.duration(to: .now) < .seconds(10) {
                    let now = try await look(at: video, over: &connection)
                    let isChanged =
                        switch change {
                        case .patch: now["content-disposition"]?.contains("Another") == true
                        case .put: now["content-range"] == "bytes 0-9/11"
                        case .delete: now.status == 404
                        }
                    if isChanged { return began.duration(to: .now) }
                    try await Task.sleep(for: .milliseconds(5))
                }
                throw TooLate(description: "\(change) is not seen through another gateway within 10 s")
            }
        }

        private func look(at video: TestVideo, over connection: inout RawHTTPConnection) async throws -> RawHTTPResponse
        {
            try await connection.request("GET", video.target, ["Range: bytes=0-9"])
            return try await connection.response()
        }
    }
}
