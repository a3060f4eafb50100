import Domain
import Mongo

/// How failures of the database become failures of the service.
enum DatabaseFailure {
    /// Runs database operations and translates what they throw.
    static func translated<Value>(_ body: () async throws -> Value) async throws(ServiceError) -> Value {
        do {
            return try await body()
        } catch let error as MongoError {
            throw serviceError(error)
        } catch is CancellationError {
            throw ServiceError(.deadlineExceeded, "The request was cancelled before it was answered.")
        } catch let error as ServiceError {
            throw error
        } catch {
            throw ServiceError(.internal, "The storage catalogue failed; the log has the reason.", cause: error)
        }
    }

    /// The one table from the kinds of failure to codes.
    static func code(for kind: MongoError.Kind) -> ServiceError.Code {
        switch kind {
        case .unavailable, .closed, .invalidConfiguration: .unavailable
        case .deadlineExceeded: .deadlineExceeded
        case .overloaded: .overloaded
        case .duplicateKey: .conflict
        case .malformedDocument, .tooLarge, .commandFailed: .internal
        }
    }

    private static func serviceError(_ error: MongoError) -> ServiceError {
        ServiceError(code(for: error.kind), message(for: error), cause: error)
    }

    private static func message(for error: MongoError) -> String {
        switch error.kind {
        case .unavailable, .closed, .invalidConfiguration: "The storage catalogue does not answer; try later."
        case .deadlineExceeded: "The storage catalogue did not answer in time."
        case .overloaded: "The storage worker has too much to do; try later."
        case .duplicateKey: "There is another object with this key."
        case .malformedDocument:
            "The catalogue entry\(error.documentID?.objectIDValue.map { " \($0)" } ?? "") has a wrong shape"
                + "\(error.field.map { " in \($0)" } ?? ""); mend or remove it."
        case .tooLarge: "The catalogue entries are too large to be given."
        case .commandFailed: "The storage catalogue refused the request; the log has the reason."
        }
    }
}
