public import Logging
internal import ServiceContextModule

/// How a process writes its log.
enum LogFormat: String, CaseIterable, Sendable {
    /// Lines for people.
    case text
    /// One JSON object a line.
    case json

    /// Sets the process's log up; once, and before the first logger is made.
    func bootstrap(service: String) {
        LoggingSystem.bootstrap(
            { label, provider in
                switch self {
                case .text: StreamLogHandler.standardError(label: label, metadataProvider: provider)
                case .json: JSONLogHandler(service: service, label: label, metadataProvider: provider)
                }
            }, metadataProvider: Self.trace)
    }

    /// Tells which trace a line belongs to.
    static let trace = Logger.MetadataProvider {
        guard let trace = ServiceContext.current?.trace else { return [:] }
        return trace.logMetadata
    }
}

extension TraceContext {
    /// As it stands in a line of the log.
    public var logMetadata: Logger.Metadata { ["trace_id": .string(traceID), "span_id": .string(spanID)] }
}
