import Foundation
import TestKit
import Testing

extension EndToEndTests {
    /// A stop as an orchestrator makes it: first nobody new is sent there, then what is under way comes to its end.
    struct DrainTests {
        private static let mebibyte: Int64 = 1 << 20
        private static let layout = TestStack.Layout(
            gatewaySettings: ["DRAIN_SECONDS": "2", "STOP_SECONDS": "60", "LOG_LEVEL": "info"])

        @Test func aGatewayThatStopsIsNotReadyAtOnceAndFinishesItsStreams() async throws {
            try await TestStack.running(Self.layout) { stack in
                let gateway = try stack.gateway()
                let video = try await stack.putVideo(bytes: 24 * Self.mebibyte, seed: 3)
                let hasStopped = Shared(false)
                try await video.streamWhole(from: gateway) { bytes in
                    guard bytes >= Self.mebibyte, !hasStopped.value else { return }
                    hasStopped.change { $0 = true }
                    let signalled = ContinuousClock.now
                    gateway.process.signal(SIGTERM)
                    try await eventually("the gateway is not ready", within: .seconds(1)) {
                        try await stack.ask("/readyz").status == 503
                    }
                    #expect(try await stack.ask("/readyz").text == #"{"status":"draining"}"#)
                    // Who has not noticed yet is still answered.
                    #expect(try await stack.ask(video.target, ["Range: bytes=0-99"]).status == 206)
                    tellFigure("not ready \(signalled.duration(to: .now)) after SIGTERM")
                    // The stream goes on when nobody new is let in any more.
                    try await eventually("nobody is let in any more", within: .seconds(10)) {
                        (try? await stack.ask("/healthz")) == nil
                    }
                    #expect(signalled.duration(to: .now) >= .seconds(2))
                    #expect(gateway.process.exit == nil)
                }
                #expect(hasStopped.value)
                #expect(try await gateway.process.exit(within: .seconds(20)) == .code(0))
            }
        }

        @Test func aSecondSignalEndsTheDrain() async throws {
            try await TestStack.running(.init(storageSettings: ["DRAIN_SECONDS": "600"])) { stack in
                let worker = try #require(stack.all(.storage).first)
                worker.process.signal(SIGTERM)
                try await eventually("it drains") { worker.log.contains("Draining") }
                // It still works: a video comes out of it.
                let video = try await stack.putVideo(bytes: Self.mebibyte, seed: 4)
                try await video.streamWhole(from: stack.gateway())
                #expect(worker.process.exit == nil)
                #expect(try await worker.stop() == .code(0))
            }
        }
    }
}
