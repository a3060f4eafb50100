internal import CMongoC
import Logging
import Synchronization

/// libmongoc's pool of connections. The pool may be used by any thread; a connection belongs to the thread that took it.
final class DriverPool: @unchecked Sendable {
    // Unchecked: `mongoc_client_pool_t` is documented as thread-safe; it is destroyed once, by the last thread alive.
    private let pool: OpaquePointer
    private let topology: DriverTopology
    private let database: String
    private let maxResultBytes: Int
    /// The clients that have been told how to connect: one for each thread. The driver remarks on each time that it is told.
    private let prepared = Mutex(Set<UInt>())

    init(_ configuration: MongoConfiguration, logger: Logger) throws(MongoError) {
        DriverLibrary.initialised
        try configuration.validate()
        let uri = try DriverURI(configuration)
        if uri.hasUnknownOptions {
            logger.warning(
                "the MongoDB URI holds an option, or a value of one, that libmongoc does not know and ignores")
        }
        var error = bson_error_t()
        guard let pool = mongoc_client_pool_new_with_error(uri.pointer, &error) else {
            // For instance an SRV record that does not resolve, or TLS options that contradict each other.
            throw MongoError(
                .invalidConfiguration, "the MongoDB URI cannot be used: \(DriverError.error(error).message)")
        }
        // Version 2 tells the server's error codes from the driver's.
        mongoc_client_pool_set_error_api(pool, MONGOC_ERROR_API_VERSION_2)
        self.pool = pool
        topology = DriverTopology(logger: logger)
        topology.watch(pool)
        database = configuration.database
        maxResultBytes = configuration.maxResultBytes
    }

    /// Runs `run` with a connection that goes back afterwards, or `otherwise` when there is none.
    func withConnection(
        deadline: ContinuousClock.Instant, run: (DriverConnection) -> Void, otherwise: (MongoError) -> Void
    ) {
        guard let client = mongoc_client_pool_pop(pool) else {
            otherwise(MongoError(.unavailable, "no connection came free within waitQueueTimeoutMS"))
            return
        }
        defer { mongoc_client_pool_push(pool, client) }
        let number = UInt(bitPattern: client)
        if prepared.withLock({ $0.insert(number).inserted }) { mongo_read_unbuffered(client) }
        run(DriverConnection(client: client, database: database, deadline: deadline, maxResultBytes: maxResultBytes))
    }

    /// What a caller is told whose deadline has passed: that there is no server, if that is the reason.
    func deadlineError() -> MongoError {
        if topology.isReachable {
            return MongoError(
                .deadlineExceeded,
                "the deadline passed before MongoDB answered; give it more time, or look for a slow query or a busy server"
            )
        }
        return MongoError(
            .unavailable,
            "no MongoDB server could be reached before the deadline. Is mongod running, and reachable under the URI that "
                + "was configured?")
    }

    /// Closes all connections. Blocks for as long as libmongoc's own threads need to end; no other call may follow.
    func destroy() {
        mongoc_client_pool_destroy(pool)
    }
}
