internal import CMongoC
import Logging
import Synchronization

/// Whether a server that takes writes is known, as libmongoc's monitoring reports it.
final class DriverTopology: Sendable {
    private let reachable = Mutex(false)
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    /// False until the first server has been found, and while there is none.
    var isReachable: Bool { reachable.withLock { $0 } }

    /// Begins to listen to a pool that has not been used yet. The pool must not outlive this object.
    func watch(_ pool: OpaquePointer) {
        let callbacks = mongoc_apm_callbacks_new()
        mongoc_apm_set_topology_changed_cb(callbacks) { event in
            guard let context = mongoc_apm_topology_changed_get_context(event),
                let description = mongoc_apm_topology_changed_get_new_description(event)
            else { return }
            let hasServer = mongoc_topology_description_has_writable_server(description)
            Unmanaged<DriverTopology>.fromOpaque(context).takeUnretainedValue().update(hasServer)
        }
        mongoc_client_pool_set_apm_callbacks(pool, callbacks, Unmanaged.passUnretained(self).toOpaque())
        mongoc_apm_callbacks_destroy(callbacks)
    }

    private func update(_ hasServer: Bool) {
        let changed = reachable.withLock { reachable in
            defer { reachable = hasServer }
            return reachable != hasServer
        }
        guard changed else { return }
        if hasServer {
            logger.info("MongoDB can be reached")
        } else {
            logger.warning("MongoDB can no longer be reached; looking for it")
        }
    }
}
