public import RPC

extension StorageWire {
    /// Where an operator's questions go.
    public static let administrationQueue = "millrace.storage.administration"
    /// Where an operator's work goes, which may take minutes for one object: nothing else waits behind it.
    public static let maintenanceQueue = "millrace.storage.maintenance"

    /// ``Domain/StorageAdministration/objects(after:limit:deadline:)``
    public static let objects = RPCMethod("storage.objects.v1", queue: administrationQueue, isIdempotent: true)
    /// ``Domain/StorageAdministration/providers(deadline:)``
    public static let providers = RPCMethod("storage.providers.v1", queue: administrationQueue, isIdempotent: true)
    /// ``Domain/StorageAdministration/movesUnderWay(deadline:)``
    public static let moves = RPCMethod("storage.moves.v1", queue: administrationQueue, isIdempotent: true)

    // These bear repetition as well, but may take minutes: asking once more because an answer is late would only double
    // the work. A worker that dies with one leaves it to another all the same.

    /// ``Domain/StorageAdministration/adopt(in:after:deadline:)``
    public static let adopt = RPCMethod("storage.adopt.v1", queue: maintenanceQueue, isIdempotent: false)
    /// ``Domain/StorageAdministration/move(_:deadline:)``
    public static let move = RPCMethod("storage.move.v1", queue: maintenanceQueue, isIdempotent: false)
    /// ``Domain/StorageAdministration/verify(_:bytesPerSecond:deadline:)``
    public static let verify = RPCMethod("storage.verify.v1", queue: maintenanceQueue, isIdempotent: false)
    /// ``Domain/StorageAdministration/collect(deadline:)``
    public static let collect = RPCMethod("storage.collect.v1", queue: maintenanceQueue, isIdempotent: false)
    /// ``Domain/StorageAdministration/orphans(_:deadline:)``
    public static let orphans = RPCMethod("storage.orphans.v1", queue: maintenanceQueue, isIdempotent: false)

    /// What a worker takes an operator's requests from.
    ///
    /// - Parameter maxConcurrentWorks: How many objects it moves or verifies at once. Each may hold some blocks in memory.
    /// - Returns: The queues.
    public static func administrationQueues(maxConcurrentWorks: Int) -> [ServedQueue] {
        [
            ServedQueue(name: administrationQueue, maxConcurrentRequests: 8),
            ServedQueue(name: maintenanceQueue, maxConcurrentRequests: maxConcurrentWorks),
        ]
    }
}
