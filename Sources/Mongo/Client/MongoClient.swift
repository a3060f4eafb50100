public import Logging

/// A MongoDB database, used through a bounded number of threads with a connection each.
///
/// libmongoc blocks. Every operation therefore runs from beginning to end on one of the client's own threads; the
/// callers' executors never block. An operation has a deadline, and its caller is answered by then, whatever the network does:
///
/// - An operation whose deadline passes while it waits for a thread is not started.
/// - The server is told what is left of the time (`maxTimeMS`) and gives up by itself.
/// - When the server does not answer, the caller is told at the deadline; the thread is free again after `socketTimeoutMS`.
/// - A cancelled caller is answered at once. An operation that had not been started is dropped; one that had been goes on, and
///   its result is lost.
///
/// So after `deadlineExceeded`, `unavailable` or a cancellation, a write **may have been done or not**. Where it did
/// answer, it is on a majority of the members and in their journals.
///
/// The client connects on first use, finds a server again by itself after an outage, and repeats an interrupted
/// operation once where libmongoc can do so safely (reads, and single writes on a replica set).
public final class MongoClient: Sendable {
    /// The database that the collections belong to.
    public let database: String

    let maxResultBytes: Int
    private let workers: WorkerPool
    private let metrics: MongoMetrics
    private let failures: FailureLog

    /// Checks the configuration and starts the threads. No connection is made yet; see ``ping(deadline:)``.
    ///
    /// With a `mongodb+srv` URI it asks the name server, and blocks meanwhile.
    ///
    /// - Throws: ``MongoError`` of kind `invalidConfiguration` that says what is wrong and how it should be, without ever
    ///   showing the URI.
    public init(configuration: MongoConfiguration, logger: Logger) throws(MongoError) {
        database = configuration.database
        maxResultBytes = configuration.maxResultBytes
        let metrics = MongoMetrics()
        self.metrics = metrics
        failures = FailureLog(logger)
        workers = try WorkerPool(
            driver: try DriverPool(configuration, logger: logger),
            threads: configuration.poolThreads,
            maxQueuedOperations: configuration.maxQueuedOperations,
            depthChanged: { metrics.recordQueueDepth($0) })
    }

    deinit {
        // For whoever forgot to shut down: the threads end by themselves.
        workers.close()
    }

    /// A collection of documents of a type. It needs not exist; nothing is sent.
    ///
    /// Several types may be used for one collection, also `BSONDocument.self` for documents of any shape.
    public func collection<Document: Codable & Sendable>(
        _ name: String, of type: Document.Type
    ) -> MongoCollection<Document> {
        MongoCollection(client: self, name: name)
    }

    /// Asks the server for a sign of life.
    ///
    /// - Throws: ``MongoError``, `CancellationError`.
    public func ping(deadline: ContinuousClock.Instant) async throws {
        _ = try await perform("ping", collection: nil, deadline: deadline) { (connection) throws(MongoError) in
            try connection.read(["ping": 1])
        }
    }

    /// Runs a command in the database and gives the server's reply. For an operator's tools; it has no write concern, and
    /// `maxTimeMS` is added to it.
    ///
    /// - Throws: ``MongoError``, `CancellationError`.
    public func runCommand(_ command: BSONDocument, deadline: ContinuousClock.Instant) async throws -> BSONDocument {
        try await perform("command", collection: nil, deadline: deadline) { (connection) throws(MongoError) in
            try connection.command(command)
        }
    }

    /// Ends the client: refuses new operations and fails the waiting ones with `closed`, lets the running ones finish, and
    /// returns when the threads have ended and the connections are closed.
    ///
    /// It takes half a second, which libmongoc's own threads need, and as long as the longest running operation, at most `socketTimeoutMS` for each exchange with the server.
    /// It may be called several times, also at once. Cancelling the caller does not shorten it.
    public func shutdown() async {
        workers.close()
        await workers.finished()
    }

    /// Runs `body` on one of the threads. The connection must not leave it.
    func perform<Result: Sendable>(
        _ name: String, collection: String?, deadline: ContinuousClock.Instant,
        _ body: @escaping @Sendable (DriverConnection) throws(MongoError) -> Result
    ) async throws -> Result {
        let start = ContinuousClock.now
        let operation = Operation(deadline: deadline, body: body)
        do {
            let result = try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    if operation.attach(continuation) { workers.submit(operation) }
                }
            } onCancel: {
                workers.cancel(operation)
            }
            metrics.record(name, outcome: "ok", duration: start.duration(to: .now))
            return result
        } catch var error as MongoError {
            error.collection = collection
            metrics.record(name, outcome: error.kind.label, duration: start.duration(to: .now))
            failures.record(error, operation: name, collection: collection)
            throw error
        } catch {
            metrics.record(name, outcome: "cancelled", duration: start.duration(to: .now))
            throw error
        }
    }

    /// Logs an error that was found after the server had answered.
    func report(_ error: MongoError, operation: String) {
        failures.record(error, operation: operation, collection: error.collection)
    }
}
