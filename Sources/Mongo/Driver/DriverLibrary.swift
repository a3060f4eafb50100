internal import CMongoC
import Glibc
import Logging
import Synchronization

/// What libmongoc has once per process.
enum DriverLibrary {
    /// Initialises libmongoc on first use. It stays initialised: cleaning up would break every other user in the process.
    static let initialised: Void = {
        mongoc_init()
        // Its counters lie in shared memory, for a tool that nobody here has: a file in /dev/shm that a process that is killed
        // would leave behind, and that the next one with its number would be warned of. It is made when the library is loaded,
        // before a variable of the environment (MONGOC_DISABLE_SHM) could be set here; so its name is taken away again.
        shm_unlink("/mongoc-\(getpid())")
        mongoc_log_set_handler(
            { level, domain, message, _ in
                DriverLibrary.log(level, domain: domain, message: message)
            }, nil)
    }()

    private static let logger = Logger(label: "mongo.driver")
    private static let urisBeingParsed = Atomic<Int>(0)
    private static let messagesAboutURIs = Atomic<Int>(0)

    /// Runs `body`, which parses a URI, without logging what libmongoc remarks: it quotes parts of the URI, and in a
    /// malformed one any part may belong to the password.
    ///
    /// - Returns: What `body` returned, and whether there was a remark.
    static func parsingURI<Result>(_ body: () -> Result) -> (Result, hasRemarks: Bool) {
        initialised
        urisBeingParsed.add(1, ordering: .sequentiallyConsistent)
        defer { urisBeingParsed.subtract(1, ordering: .sequentiallyConsistent) }
        let before = messagesAboutURIs.load(ordering: .sequentiallyConsistent)
        let result = body()
        return (result, messagesAboutURIs.load(ordering: .sequentiallyConsistent) != before)
    }

    /// Hands what libmongoc would print on standard error to the process's logging. What it calls informational is of
    /// interest to its developers only.
    private static func log(
        _ level: mongoc_log_level_t, domain: UnsafePointer<CChar>?, message: UnsafePointer<CChar>?
    ) {
        guard urisBeingParsed.load(ordering: .sequentiallyConsistent) == 0 else {
            messagesAboutURIs.add(1, ordering: .sequentiallyConsistent)
            return
        }
        guard let domain, let message else { return }
        let severity: Logger.Level =
            switch level {
            case MONGOC_LOG_LEVEL_ERROR, MONGOC_LOG_LEVEL_CRITICAL: .error
            case MONGOC_LOG_LEVEL_WARNING: .warning
            default: .trace
            }
        logger.log(
            level: severity, "\(String(cString: message))", metadata: ["domain": "\(String(cString: domain))"])
    }
}
