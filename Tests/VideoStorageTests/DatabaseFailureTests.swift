import Domain
import Mongo
import Testing

@testable import VideoStorage

@Suite struct DatabaseFailureTests {
    @Test(arguments: [
        (MongoError.Kind.unavailable, ServiceError.Code.unavailable), (.closed, .unavailable),
        (.invalidConfiguration, .unavailable), (.deadlineExceeded, .deadlineExceeded), (.overloaded, .overloaded),
        (.duplicateKey, .conflict), (.malformedDocument, .internal), (.commandFailed(code: 13), .internal),
    ])
    func kindsOfFailureBecomeCodes(kind: MongoError.Kind, code: ServiceError.Code) {
        #expect(DatabaseFailure.code(for: kind) == code)
    }

    @Test func cancellationIsADeadlineThatCameEarly() async {
        let error = await #expect(throws: ServiceError.self) {
            try await DatabaseFailure.translated { throw CancellationError() }
        }
        #expect(error?.code == .deadlineExceeded)
    }
}
