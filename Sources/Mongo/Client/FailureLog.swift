import Logging
import Synchronization

/// Logs failures at warning, and the same failure at most once in ten seconds: an outage must not flood the log.
final class FailureLog: Sendable {
    private struct Entry {
        var lastLogged: ContinuousClock.Instant
        var suppressed: Int
    }

    private static let pause = Duration.seconds(10)
    /// Beyond this many different failures the table is forgotten, which costs repeated lines and no more.
    private static let maxEntries = 1000

    private let logger: Logger
    private let entries = Mutex<[String: Entry]>([:])

    init(_ logger: Logger) {
        self.logger = logger
    }

    /// Logs what failed and why, without the content of documents and without the server's text, which may quote it.
    func record(_ error: MongoError, operation: String, collection: String?) {
        // A duplicate key is an answer, and a closed client is nobody's surprise.
        let level: Logger.Level =
            switch error.kind {
            case .duplicateKey, .closed: .debug
            default: .warning
            }
        var metadata: Logger.Metadata = ["operation": "\(operation)", "kind": "\(error.kind.label)"]
        if let collection { metadata["collection"] = "\(collection)" }
        if let field = error.field { metadata["field"] = "\(field)" }
        if let id = error.documentID { metadata["id"] = "\(Self.text(of: id))" }
        if let reason = error.loggableReason { metadata["reason"] = "\(reason)" }
        if case .commandFailed(let code) = error.kind { metadata["code"] = "\(code)" }
        guard let suppressed = admit(metadata.map { "\($0)=\($1)" }.sorted().joined(separator: " ")) else { return }
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        logger.log(level: level, "a database operation failed", metadata: metadata)
    }

    /// How many of the same were left out since the last one that was logged; nil when this one is to be left out too.
    private func admit(_ failure: String) -> Int? {
        entries.withLock { entries in
            let now = ContinuousClock.now
            if var entry = entries[failure], now - entry.lastLogged < Self.pause {
                entry.suppressed += 1
                entries[failure] = entry
                return nil
            }
            if entries.count >= Self.maxEntries { entries = [:] }
            let suppressed = entries[failure]?.suppressed ?? 0
            entries[failure] = Entry(lastLogged: now, suppressed: 0)
            return suppressed
        }
    }

    /// An `_id`, which is needed to find the document. One that is not an identifier is named by its type.
    private static func text(of id: BSON) -> String {
        switch id {
        case .objectID(let value): value.description
        case .int32(let value): "\(value)"
        case .int64(let value): "\(value)"
        default: "(\(id.typeName))"
        }
    }
}
