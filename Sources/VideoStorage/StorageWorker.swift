import Contracts
import Domain
import Logging
import RPC

/// What a storage worker does, put together from its parts, apart from broker, database and settings.
struct StorageWorker: Sendable {
    /// Reads.
    let storage: ObjectStorage
    /// Writes.
    let uploads: ObjectUploads
    /// Deletes the objects of deleted videos.
    let deletion: ObjectDeletion
    /// Clears up.
    let collector: Collector
    /// Does what an operator asks for.
    let administration: StorageOperator

    /// Puts a worker together.
    init(
        catalogue: any Catalogue, register: any UploadRegister, providers: ProviderSet, outbox: OutboxTeller,
        rules: CollectionRules, metrics: StorageMetrics, logger: Logger
    ) {
        storage = ObjectStorage(catalogue: catalogue, providers: providers, metrics: metrics, logger: logger)
        uploads = ObjectUploads(
            register: register, catalogue: catalogue, providers: providers, outbox: outbox,
            touchSeconds: rules.touchSeconds, metrics: metrics, logger: logger)
        deletion = ObjectDeletion(storage: storage, catalogue: catalogue, outbox: outbox, logger: logger)
        collector = Collector(
            register: register, catalogue: catalogue, providers: providers, rules: rules, metrics: metrics,
            logger: logger)
        administration = StorageOperator(
            storage: storage, register: register, catalogue: catalogue, providers: providers, collector: collector,
            rules: rules, metrics: metrics, logger: logger)
    }

    /// All of it as methods.
    var router: RPCRouter {
        var router = RPCRouter.storage(storage)
        router.add(.uploads(uploads))
        router.add(.storageAdministration(administration))
        return router
    }
}
