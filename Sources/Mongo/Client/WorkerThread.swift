internal import CMongoC

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A POSIX thread: blocking calls of libmongoc must never run on the cooperative pool.
struct WorkerThread: @unchecked Sendable {
    // Unchecked: the handle of a thread is a value that any thread may join once; the owner sees to the once.
    private let handle: pthread_t

    /// Starts a thread that runs `body` and ends.
    ///
    /// - Throws: ``MongoError`` when the system has no more threads.
    init(name: String, body: @escaping @Sendable () -> Void) throws(MongoError) {
        let context = Unmanaged.passRetained(Context(name: name, body: body))
        var handle = pthread_t()
        let status = pthread_create(
            &handle, nil,
            { pointer in
                guard let pointer else { return nil }
                let context = Unmanaged<Context>.fromOpaque(pointer).takeRetainedValue()
                mongo_name_this_thread(context.name)
                context.body()
                return nil
            }, context.toOpaque())
        guard status == 0 else {
            context.release()
            throw MongoError(
                .unavailable, "the system refused to start a thread (error \(status)); raise its limit of threads")
        }
        self.handle = handle
    }

    /// Waits for the end of the thread. Blocks.
    func join() {
        pthread_join(handle, nil)
    }

    /// Lets the thread clean up after itself. It must not be joined then.
    func detach() {
        pthread_detach(handle)
    }

    private final class Context: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
