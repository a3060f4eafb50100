import Domain
import Mongo

/// How failures of the database become failures of the provider.
enum GridFSFailure {
    /// Runs database operations and translates what they throw.
    static func translated<Value>(_ body: () async throws -> Value) async throws(ServiceError) -> Value {
        do {
            return try await body()
        } catch let error as MongoError {
            throw ServiceError(DatabaseFailure.code(for: error.kind), message(for: error.kind), cause: error)
        } catch is CancellationError {
            throw ServiceError(.deadlineExceeded, "The request was cancelled before it was answered.")
        } catch let error as ServiceError {
            throw error
        } catch {
            throw ServiceError(.internal, "The blob database failed; the log has the reason.", cause: error)
        }
    }

    private static func message(for kind: MongoError.Kind) -> String {
        switch kind {
        case .unavailable, .closed, .invalidConfiguration: "The blob database does not answer; try later."
        case .deadlineExceeded: "The blob database did not answer in time."
        case .overloaded: "The storage worker has too much to do; try later."
        case .duplicateKey: "There is another blob at this location."
        case .malformedDocument: "A document of the blob database has a wrong shape; mend or remove it."
        case .tooLarge: "The documents are too large to be given."
        case .commandFailed: "The blob database refused the request; the log has the reason."
        }
    }
}
