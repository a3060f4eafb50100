import Domain
import Logging
import Metrics
import ServiceLifecycle

/// Gives up uploads that failed, apart from the requests that began them: a client that has gone takes its request's task
/// with it, and what is to be cleaned up must not go with it.
///
/// Not guaranteed: that an upload is given up. When the gateway dies, storage is away for long, or too many wait, the
/// storage service collects it later.
final class UploadCleanup: Service {
    /// How many may wait; the collector takes the others.
    private static let maxWaiting = 1_024
    /// How many are given up at once.
    private static let maxConcurrent = 8
    /// How long to try, in seconds, and how long a shutdown waits for what is left.
    private static let trySeconds = 30
    private static let drainSeconds = 5

    private let uploads: any UploadService
    private let logger: Logger
    private let ids: AsyncStream<UploadID>
    private let failed: AsyncStream<UploadID>.Continuation

    /// Makes a cleanup; it begins when it is run.
    init(_ uploads: any UploadService, logger: Logger) {
        self.uploads = uploads
        self.logger = logger
        (ids, failed) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.maxWaiting))
    }

    /// Has an upload given up. Does not wait.
    func abort(_ upload: UploadID) {
        Counter(label: "millrace_gateway_aborted_uploads_total").increment()
        failed.yield(upload)
    }

    /// Works until the task is cancelled or a graceful shutdown begins; then it ends what is left, for some seconds.
    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.giveUpAll() }
            group.addTask {
                try? await gracefulShutdown()
                self.failed.finish()
                try? await Task.sleep(for: .seconds(Self.drainSeconds))
            }
            // Either all have been given up, or the time to drain is over.
            await group.next()
            group.cancelAll()
        }
    }

    private func giveUpAll() async {
        await withTaskGroup(of: Void.self) { group in
            var count = 0
            for await id in ids {
                if count == Self.maxConcurrent {
                    await group.next()
                    count -= 1
                }
                group.addTask { await self.giveUp(id) }
                count += 1
            }
        }
    }

    private func giveUp(_ id: UploadID) async {
        let retries = PersistentCall(attemptDeadline: .seconds(10), giveUp: .after(.seconds(Self.trySeconds)))
        do throws(ServiceError) {
            try await retries.perform { [uploads] (deadline) throws(ServiceError) in
                try await uploads.abort(id, deadline: deadline)
            }
        } catch {
            logger.warning("an upload could not be given up; storage will collect it", metadata: ["error": "\(error)"])
        }
    }
}
