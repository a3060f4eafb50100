import Domain
import Logging
import ServiceKit

/// The providers of a worker, made as they are configured, each with what has to be around it, and what they stand on.
///
/// Around a cloud, from within: checksums of our own, a limit of calls at once, retries, metrics.
/// What is on this machine, or has a driver that retries, has metrics alone.
struct ConfiguredProviders {
    /// Calls of one cloud at once, each with a connection: what one worker serves at once and some uploads beside it.
    private static let maxCloudCalls = 48
    /// Calls that wait for one of those; more than that is `overloaded`.
    private static let maxWaitingCalls = 512
    /// Threads that wait for the file system, for readers and for writers.
    private static let fileThreads = 8

    /// The providers, the primary one first.
    let set: ProviderSet
    private let threads: [BlockingThreads]
    private let connections: ServiceConnections

    /// Makes the providers. Nothing is asked over the network.
    ///
    /// - Parameters:
    ///   - settings: What the environment says.
    ///   - gridFS: The one in the service's own database.
    ///   - metrics: Where refusals are counted.
    ///   - logger: Where providers write.
    /// - Throws: ``ServiceKit/SettingError`` that names the variable that cannot be used.
    init(_ settings: ProviderSettings, gridFS: GridFSProvider, metrics: StorageMetrics, logger: Logger) throws {
        let readers = BlockingThreads(count: Self.fileThreads)
        let writers = BlockingThreads(count: Self.fileThreads)
        let connections = ServiceConnections(maxConnections: Self.maxCloudCalls)
        threads = [readers, writers]
        self.connections = connections
        var made: [ProviderSettings.Choice: any StorageProvider] = [.gridfs: MeteredProvider(gridFS)]
        if let directory = settings.directory {
            try StorageFolderState(directory).check(logger)
            made[.filesystem] = try SettingError.naming("STORAGE_DIRECTORY") {
                MeteredProvider(
                    try FilesystemProvider(
                        root: directory, threads: readers, writers: writers, metrics: metrics, logger: logger))
            }
        }
        if let azure = settings.azure {
            let container = try SettingError.naming("STORAGE_CONTAINER") {
                try AzureContainer(
                    endpoint: azure.endpoint, container: azure.container, key: azure.key, connections: connections,
                    logger: logger)
            }
            made[.azure] = Self.remote(AzureProvider.checked(in: container))
        }
        if let s3 = settings.s3 {
            let bucket = S3Bucket(s3, connections: connections, logger: logger)
            made[.s3] = Self.remote(CheckedProvider(S3Provider(bucket: bucket)))
        }
        guard let primary = made.removeValue(forKey: settings.primary) else {
            throw SettingError(
                "STORAGE_PROVIDER", fault: "names a provider that is not configured", meaning: "where new objects go",
                example: "filesystem")
        }
        set = ProviderSet(
            primary: primary, others: made.values.sorted { $0.name.description < $1.name.description })
    }

    /// Ends threads and connections; what is under way may fail.
    func shutdown() async {
        for pool in threads { await pool.shutdown() }
        await connections.shutdown()
    }

    private static func remote(_ provider: any StorageProvider) -> any StorageProvider {
        let limited = LimitedProvider(provider, maxCalls: maxCloudCalls, maxWaiting: maxWaitingCalls)
        return MeteredProvider(RetryingProvider(limited))
    }
}
