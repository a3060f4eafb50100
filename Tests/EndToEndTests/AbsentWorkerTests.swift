import TestKit
import Testing

extension EndToEndTests {
    /// What a viewer gets when nobody is there to do the work.
    struct AbsentWorkerTests {
        /// A queue lives for 10 s without a worker. A probe that looks at it all the while prolongs its life, but not the
        /// wait of those who ask.
        @Test(arguments: [false, true])
        func withoutAWorkerTheAnswerIs503AtTheDeadlineAndLaterAtOnce(isProbed: Bool) async throws {
            // What the gateway has in its memory needs no worker.
            let settings = ["REQUEST_DEADLINE_SECONDS": "2", "CACHE_BYTES": "0"]
            try await TestStack.running(.init(gatewaySettings: settings)) { stack in
                let video = try await stack.putVideo(bytes: 300_000, seed: 21)
                let storage = try #require(stack.all(.storage).first)
                let metadata = try #require(stack.all(.metadata).first)
                #expect(try await stack.ask(video.target).status == 200)

                #expect(try await storage.stop() == .code(0))
                try await isRefused(stack, video.target, after: .milliseconds(1_500) ... .seconds(3))
                #expect(try await metadata.stop() == .code(0))
                try await isRefused(stack, "/videos/\(video.id)", after: .milliseconds(1_500) ... .seconds(3))

                let end = ContinuousClock.now + .seconds(11)
                while ContinuousClock.now < end {
                    if isProbed { #expect(try await stack.ask("/readyz").status == 503) }
                    #expect(try await stack.ask("/healthz").status == 200)
                    try await Task.sleep(for: .seconds(1))
                }
                try await isRefused(stack, "/videos/\(video.id)", after: .zero ... .seconds(1))
                try await isRefused(stack, "/videos", after: .zero ... .seconds(1))
                try await stack.start(.metadata).ready()
                try await isRefused(stack, video.target, after: .zero ... .seconds(1))
                try await stack.start(.storage).ready()
                #expect(try await stack.ask(video.target).status == 200)
            }
        }

        private func isRefused(_ stack: TestStack, _ target: String, after time: ClosedRange<Duration>) async throws {
            let start = ContinuousClock.now
            let response = try await stack.ask(target)
            let took = start.duration(to: .now)
            #expect(response.status == 503, "\(target): \(response.text)")
            #expect(response["retry-after"] != nil)
            #expect(response["content-type"] == "application/problem+json")
            #expect(time.contains(took), "\(target) was refused after \(took)")
        }
    }
}
