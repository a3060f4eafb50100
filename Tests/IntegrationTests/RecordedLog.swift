import Logging
import Synchronization

/// Keeps what is logged, as lines of level and message.
final class RecordedLog: Sendable {
    private let recorded = Mutex<[String]>([])
    private let metadata = Mutex<[Logger.Metadata]>([])

    var lines: [String] { recorded.withLock { $0 } }

    /// What was logged under a key, in order.
    func values(of key: String) -> [String] {
        metadata.withLock { $0.compactMap { entry in entry[key].map { "\($0)" } } }
    }

    var logger: Logger {
        Logger(label: "test") { _ in Handler(log: self) }
    }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.recorded.withLock { $0.append("\(event.level): \(event.message)") }
            log.metadata.withLock { $0.append(event.metadata ?? [:]) }
        }
    }
}
