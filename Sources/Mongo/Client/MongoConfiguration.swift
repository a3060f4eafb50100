/// How to reach a database, and the limits of doing so.
public struct MongoConfiguration: Sendable {
    /// A connection string: `mongodb://user:password@host:27017/?authSource=admin`, or `mongodb+srv://`.
    ///
    /// What it names itself (`socketTimeoutMS`, `appName`, …) goes before the defaults below, except for `maxPoolSize`, which
    /// is always ``poolThreads``, and the write concern, which is always majority with journaling.
    public var uri: String

    /// The database that all collections of the client belong to.
    public var database: String

    /// The name under which the server logs this client, at most 128 bytes.
    public var appName: String

    /// How many operations run at once: each has a thread and a connection of its own. 1 to 64; 4 by default, which keeps
    /// a mongod with indexed single-document operations busy from several workers.
    public var poolThreads = 4

    /// How many operations may wait for a thread; one more fails at once with `overloaded`. 1,000 by default: at 1 ms
    /// each and four threads that is a quarter of a second of work, and waiting longer helps nobody.
    public var maxQueuedOperations = 1000

    /// The most bytes of documents that one `find` gives back, and that a batch gathers. 32 MiB by default: two documents of
    /// the largest size that MongoDB stores. Together with ``poolThreads`` it bounds the memory for results.
    public var maxResultBytes = 32 * 1024 * 1024

    /// How long an operation looks for a server before it is `unavailable`. 3,000 ms by default: longer than an
    /// election in a healthy replica set lasts as a rule, shorter than a viewer's patience.
    public var serverSelectionTimeoutMilliseconds: Int32 = 3000

    /// How long connecting to one server may take. 2,000 ms by default, below the time for finding a server.
    public var connectTimeoutMilliseconds: Int32 = 2000

    /// How long one send or receive may take. 10,000 ms by default. It frees threads from a server that is connected
    /// but silent; callers are answered at their own deadlines.
    public var socketTimeoutMilliseconds: Int32 = 10000

    /// How long a thread waits for a connection from the pool. 1,000 ms by default; as there are as many connections
    /// as threads, it never waits in fact.
    public var waitQueueTimeoutMilliseconds: Int32 = 1000

    /// A configuration with the defaults above.
    public init(uri: String, database: String, appName: String = "millrace") {
        self.uri = uri
        self.database = database
        self.appName = appName
    }

    /// Checks what can be checked without the driver.
    func validate() throws(MongoError) {
        guard (1...64).contains(poolThreads) else {
            throw MongoError(.invalidConfiguration, "poolThreads is \(poolThreads); use 1 to 64")
        }
        guard maxQueuedOperations > 0, maxResultBytes > 0 else {
            throw MongoError(.invalidConfiguration, "maxQueuedOperations and maxResultBytes must be greater than 0")
        }
        let timeouts = [
            serverSelectionTimeoutMilliseconds, connectTimeoutMilliseconds, socketTimeoutMilliseconds,
            waitQueueTimeoutMilliseconds,
        ]
        guard timeouts.allSatisfy({ $0 > 0 }) else {
            throw MongoError(.invalidConfiguration, "every timeout must be greater than 0 milliseconds")
        }
        guard appName.utf8.count <= 128, !appName.utf8.contains(0) else {
            throw MongoError(.invalidConfiguration, "appName must have at most 128 bytes")
        }
        let forbidden = Set("/\\. \"$*<>:|?\0")
        guard (1...63).contains(database.utf8.count), !database.contains(where: forbidden.contains) else {
            throw MongoError(
                .invalidConfiguration,
                "the database name must have 1 to 63 bytes and none of / \\ . \" $ * < > : | ? and space, "
                    + "for example video-metadata")
        }
    }
}

extension MongoConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Names the database only: the URI may hold a password.
    public var description: String { "MongoConfiguration(database: \(database), poolThreads: \(poolThreads))" }

    /// The same as ``description``.
    public var debugDescription: String { description }

    /// Hides the URI from `dump` too.
    public var customMirror: Mirror {
        Mirror(self, children: ["database": database, "poolThreads": poolThreads])
    }
}
