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

    /// What a worker takes requests from.
    ///
    /// - Parameter maxConcurrentRequests: How many of each queue at once.
    /// - Returns: The queues.
    public static func queues(maxConcurrentRequests: Int) -> [ServedQueue] {
        [queryQueue, commandQueue].map { ServedQueue(name: $0, maxConcurrentRequests: maxConcurrentRequests) }
    }
}

/// What the storage service is called on the wire.
public enum StorageWire {
    /// The service's name, as it stands in the names of its queues and exchanges.
    public static let service = "storage"
    /// Where reads go.
    public static let readQueue = "millrace.storage.read"

    /// ``Domain/StorageService/stat(_:deadline:)``
    public static let stat = RPCMethod("storage.stat.v1", queue: readQueue, isIdempotent: true)
    /// ``Domain/StorageService/read(_:deadline:)``
    public static let read = RPCMethod("storage.read.v1", queue: readQueue, isIdempotent: true)

    /// What a worker takes requests from.
    ///
    /// - Parameter maxConcurrentRequests: How many of each queue at once.
    /// - Returns: The queues.
    public static func queues(maxConcurrentRequests: Int) -> [ServedQueue] {
        [ServedQueue(name: readQueue, maxConcurrentRequests: maxConcurrentRequests)]
    }
}
