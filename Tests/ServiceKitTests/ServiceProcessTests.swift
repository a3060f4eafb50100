import Foundation
import ServiceKit
import ServiceLifecycle
import Testing

/// How a process ends: each test runs it in a process of its own.
struct ServiceProcessTests {
    @Test func aWrongSettingIsOneLineThatNamesItAndAnExitCodeOfItsOwn() async throws {
        let result = await #expect(processExitsWith: .exitCode(78), observing: [\.standardErrorContent]) {
            setenv("LOG_LEVEL", "hunter2", 1)
            await ServiceProcess.run("video-test") { _ in [] }
        }
        let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(text.contains("video-test: LOG_LEVEL is none of trace, debug, info, notice, warning, error, critical."))
        #expect(!text.contains("hunter2"))
    }

    @Test func aMissingSettingOfTheCompositionIsToldTheSameWay() async throws {
        let result = await #expect(processExitsWith: .exitCode(78), observing: [\.standardErrorContent]) {
            unsetenv("RABBIT")
            await ServiceProcess.run("video-test") { environment in
                _ = try environment.settings.text(
                    "RABBIT", meaning: "the address of the broker", example: "amqp://localhost")
                return []
            }
        }
        let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(text.contains("video-test: RABBIT is missing. It is the address of the broker"))
    }

    @Test func aFailureIsOneLineAndExitCodeOne() async throws {
        let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
            struct Broken: Error, CustomStringConvertible { let description = "the disk is gone" }
            await ServiceProcess.run("video-test") { _ in throw Broken() }
        }
        let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(text.contains("video-test: the disk is gone\n"))
    }

    @Test func aStopBySignalEndsTheServicesAndIsNoFailure() async {
        await #expect(processExitsWith: .success) {
            await ServiceProcess.run("video-test") { _ in
                struct Waiting: Service {
                    func run() async throws {
                        kill(getpid(), SIGTERM)
                        try await gracefulShutdown()
                    }
                }
                return [Waiting()]
            }
        }
    }
}
