public import RPC

/// What the metadata service is called on the wire.
public enum MetadataWire {
    /// The service's name, as it stands in the names of its queues and exchanges.
    public static let service = "metadata"
    /// Where questions go.
    public static let queryQueue = "millrace.metadata.query"
    /// Where changes go, so that questions never wait behind them.
    public static let commandQueue = "millrace.metadata.command"

    /// ``Domain/MetadataService/find(_:deadline:)``
    public static let find = RPCMethod("metadata.find.v1", queue: queryQueue, isIdempotent: true)
    /// ``Domain/MetadataService/list(after:limit:deadline:)``
    public static let list = RPCMethod("metadata.list.v1", queue: queryQueue, isIdempotent: true)
    /// ``Domain/MetadataService/create(_:deadline:)``
    public static let create = RPCMethod("metadata.create.v1", queue: commandQueue, isIdempotent: false)

    /// ``Domain/MetadataService/update(_:_:revision:command:deadline:)``
    public static let update = RPCMethod("metadata.update.v1", queue: commandQueue, isIdempotent: true)
    /// ``Domain/MetadataService/delete(_:revision:command:deadline:)``
    public static let delete = RPCMethod("metadata.delete.v1", queue: commandQueue, isIdempotent: true)
    /// ``Domain/MetadataService/contentCommitted(_:deadline:)``
    public static let contentCommitted = RPCMethod(
        "metadata.content-committed.v1", queue: commandQueue, isIdempotent: true)

    /// What a worker takes requests from.
    ///
    /// - Parameter maxConcurrentRequests: How many of each queue at once.
    /// - Returns: The queues.
    public static func queues(maxConcurrentRequests: Int) -> [ServedQueue] {
        [queryQueue, commandQueue].map {
            ServedQueue(
                name: $0, maxConcurrentRequests: maxConcurrentRequests, keepsDeadRequests: $0 == commandQueue)
        }
    }
}

/// What the storage service is called on the wire.
public enum StorageWire {
    /// The service's name, as it stands in the names of its queues and exchanges.
    public static let service = "storage"
    /// Where reads go.
    public static let readQueue = "millrace.storage.read"
    /// Where uploads and changes go, so that reads never wait behind them.
    public static let writeQueue = "millrace.storage.write"
    /// How many requests may wait in ``writeQueue``. A block is a thousand times as large as a question, and these are
    /// what a broker may have to hold: 4 GiB if each is the largest block that there can be.
    public static let maxWaitingWrites = 512

    /// ``Domain/StorageService/stat(_:deadline:)``
    public static let stat = RPCMethod("storage.stat.v1", queue: readQueue, isIdempotent: true)
    /// ``Domain/StorageService/read(_:deadline:)``
    public static let read = RPCMethod("storage.read.v1", queue: readQueue, isIdempotent: true)
    /// ``Domain/StorageService/read(together:deadline:)``
    public static let readTogether = RPCMethod("storage.read-together.v1", queue: readQueue, isIdempotent: true)
    /// ``Domain/StorageService/open(_:at:deadline:)``
    public static let open = RPCMethod("storage.open.v1", queue: readQueue, isIdempotent: true)

    /// ``Domain/UploadService/begin(_:deadline:)``
    public static let begin = RPCMethod("storage.begin.v1", queue: writeQueue, isIdempotent: true)
    /// ``Domain/UploadService/stage(_:deadline:)``. A block is megabytes: sent a second time soon, it would make what is slow slower.
    public static let stage = RPCMethod(
        "storage.stage.v1", queue: writeQueue, isIdempotent: true, leastHedgeDelay: .seconds(2))
    /// ``Domain/UploadService/commit(_:deadline:)``. A provider may have to copy all of the object.
    public static let commit = RPCMethod(
        "storage.commit.v1", queue: writeQueue, isIdempotent: true, leastHedgeDelay: .seconds(10))
    /// ``Domain/UploadService/abort(_:deadline:)``
    public static let abort = RPCMethod("storage.abort.v1", queue: writeQueue, isIdempotent: true)

    /// What a worker takes reads from.
    ///
    /// - Parameter maxConcurrentRequests: How many of each queue at once.
    /// - Returns: The queues.
    public static func queues(maxConcurrentRequests: Int) -> [ServedQueue] {
        [ServedQueue(name: readQueue, maxConcurrentRequests: maxConcurrentRequests)]
    }

    /// What a worker takes uploads and changes from.
    ///
    /// - Parameter maxConcurrentRequests: How many at once. Each may hold a block of
    ///   ``Domain/UploadLimits/blockBytesRange`` in memory.
    /// - Returns: The queues.
    public static func writeQueues(maxConcurrentRequests: Int) -> [ServedQueue] {
        [
            ServedQueue(
                name: writeQueue, maxConcurrentRequests: maxConcurrentRequests, maxWaitingRequests: maxWaitingWrites)
        ]
    }
}
