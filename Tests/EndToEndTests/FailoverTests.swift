import Glibc
import TestKit
import Testing

extension EndToEndTests {
    /// What a viewer notices when something breaks in mid-stream: a pause at the most.
    struct FailoverTests {
        private static let mebibyte: Int64 = 1 << 20
        private static let size = 64 * mebibyte + 4_321
        private static let breakAt = 8 * mebibyte
        private static let haltBeforeKill = Duration.milliseconds(200)

        @Test func theOnlyStorageWorkerIsKilledAndStartedAgainAndEveryByteArrives() async throws {
            // Attempts at a chunk are over before the worker is back, so that the gateway has to make more of them.
            try await TestStack.running(.init(gatewaySettings: ["CHUNK_DEADLINE_SECONDS": "1"])) { stack in
                let video = try await stack.putVideo(bytes: Self.size, seed: 5)
                let worker = try #require(stack.all(.storage).first)
                try await withThrowingTaskGroup { group in
                    let report = try await video.streamWhole(from: stack.gateway()) { bytes in
                        guard bytes >= Self.breakAt, worker.process.exit == nil else { return }
                        await worker.kill()
                        group.addTask {
                            try await Task.sleep(for: .seconds(2))
                            try await stack.start(.storage).ready()
                        }
                    }
                    try await group.waitForAll()
                    #expect(worker.process.exit == .signal(SIGKILL))
                    #expect(report.longestPause.duration > .seconds(1), "the stream did not need the worker any more")
                    tell("pause while the only worker was away", report)
                }
            }
        }

        @Test func oneOfTwoStorageWorkersIsKilledAndTheStreamHardlyPauses() async throws {
            try await TestStack.running(.init(storageWorkers: 2)) { stack in
                let video = try await stack.putVideo(bytes: Self.size, seed: 6)
                let worker = try #require(stack.all(.storage).first)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    let report = try await video.streamWhole(from: stack.gateway()) { bytes in
                        guard bytes == Self.breakAt else { return }
                        // Halted first, so that it holds requests without doubt when it is killed.
                        worker.process.signal(SIGSTOP)
                        group.addTask {
                            try await Task.sleep(for: Self.haltBeforeKill)
                            worker.process.signal(SIGKILL)
                        }
                    }
                    try await group.waitForAll()
                    #expect(await worker.process.waitForExit() == .signal(SIGKILL))
                    #expect(report.longestPause.duration < Self.haltBeforeKill + .seconds(1))
                    tell("pause from the halt of one of two workers, killed \(Self.haltBeforeKill) later", report)
                }
            }
        }

        /// The broker sees nothing wrong with a worker that has stopped and is still connected: only hedges help.
        @Test func oneOfTwoStorageWorkersStopsAndIsStillConnectedAndTheStreamHardlyPauses() async throws {
            try await TestStack.running(.init(storageWorkers: 2)) { stack in
                let video = try await stack.putVideo(bytes: Self.size, seed: 10)
                let worker = try #require(stack.all(.storage).first)
                let report = try await video.streamWhole(from: stack.gateway()) { bytes in
                    if bytes == Self.breakAt { worker.process.signal(SIGSTOP) }
                }
                worker.process.signal(SIGCONT)
                #expect(worker.process.exit == nil)
                // Without hedges it is the deadline of a chunk, 5 s.
                #expect(report.longestPause.duration < .seconds(2))
                tell("pause from the halt of one of two workers that stays connected", report)
            }
        }

        @Test func aStreamThatStandsStillForTooLongIsCutAndNeverPadded() async throws {
            let settings = ["CHUNK_DEADLINE_SECONDS": "1", "STALL_SECONDS": "2"]
            try await TestStack.running(.init(gatewaySettings: settings)) { stack in
                let video = try await stack.putVideo(bytes: Self.size, seed: 9)
                let worker = try #require(stack.all(.storage).first)
                let report = try await video.stream(from: stack.gateway()) { bytes in
                    if bytes == Self.breakAt { await worker.kill() }
                }
                #expect(report.firstWrong == nil)
                #expect(report.bytes >= Self.breakAt)
                #expect(report.bytes < video.size)
                #expect(report.longestPause.duration < .seconds(4))
                try await eventually("the gateway tells that the response was cut") {
                    try stack.gateway().logLines(with: "outcome=cut").contains { $0.contains(video.target) }
                }
            }
        }

        @Test func everyConnectionToTheBrokerBreaksAndNoViewerNotices() async throws {
            try await TestStack.running { stack in
                let video = try await stack.putVideo(bytes: Self.size, seed: 7)
                let gateway = try stack.gateway()
                let (isBroken, isOver, requests) = (Shared(false), Shared(false), Shared(RangeTally()))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for viewer in 0..<4 {
                        group.addTask {
                            try await video.readRandomRanges(
                                from: gateway, seed: UInt64(viewer), until: isOver, counting: requests)
                        }
                    }
                    let report = try await video.streamWhole(from: gateway) { bytes in
                        if bytes == Self.breakAt {
                            group.addTask {
                                try await BrokerControl.closeConnections()
                                isBroken.change { $0 = true }
                            }
                        }
                        // At most 4 MiB/s until it has happened, so that the stream is under way when it does.
                        if bytes >= Self.breakAt, !isBroken.value { try await Task.sleep(for: .milliseconds(15)) }
                    }
                    #expect(isBroken.value, "the stream was over before the connections broke")
                    try await Task.sleep(for: .seconds(1))
                    isOver.change { $0 = true }
                    try await group.waitForAll()
                    tell("longest pause when all connections broke", report)
                    tellFigure("\(requests.value.count) ranges were read meanwhile")
                }
                for service in stack.all() {
                    #expect(service.process.exit == nil, "\(service.name) ended")
                    let connections = service.logLines(with: "Connected to the broker").count
                    #expect(connections > 2, "\(service.name) was not cut off")
                }
            }
        }

        @Test func aStorageWorkerIsStoppedUnderLoadAndNoRequestFails() async throws {
            try await TestStack.running(.init(storageWorkers: 2)) { stack in
                let video = try await stack.putVideo(bytes: 16 * Self.mebibyte, seed: 8)
                let worker = try #require(stack.all(.storage).first)
                let gateway = try stack.gateway()
                let (isOver, requests) = (Shared(false), Shared(RangeTally()))
                try await withThrowingTaskGroup(of: Void.self) { viewers in
                    for viewer in 0..<8 {
                        viewers.addTask {
                            try await video.readRandomRanges(
                                from: gateway, seed: UInt64(viewer), until: isOver, counting: requests)
                        }
                    }
                    try await Task.sleep(for: .seconds(1))
                    let before = requests.value.count
                    let start = ContinuousClock.now
                    let exit = try await worker.stop(within: .seconds(15))
                    tellFigure("worker drained and ended in \(start.duration(to: .now)) after \(before) requests")
                    #expect(exit == .code(0))
                    #expect(try worker.servedRequests() > 0)
                    try await Task.sleep(for: .seconds(1))
                    isOver.change { $0 = true }
                    try await viewers.waitForAll()
                    #expect(requests.value.count > before)
                }
            }
        }
    }
}

/// Puts a figure into the output of the tests.
func tellFigure(_ text: String) {
    print("measured: \(text)")
}

private func tell(_ what: String, _ report: DeliveryReport) {
    tellFigure("\(what): \(report.longestPause.duration) at byte \(report.longestPause.offset)")
}
