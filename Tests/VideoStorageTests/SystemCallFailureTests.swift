import Domain
import Foundation
import Testing

@testable import VideoStorage

@Suite struct SystemCallFailureTests {
    @Test(arguments: [
        (ENOENT, ServiceError.Code.notFound), (ENOTDIR, .notFound), (ENAMETOOLONG, .notFound), (EMFILE, .overloaded),
        (ENFILE, .overloaded), (ESTALE, .unavailable), (EACCES, .internal), (EIO, .internal), (ELOOP, .invalidArgument),
        (ENOSPC, .unavailable), (EDQUOT, .unavailable), (EFBIG, .tooLarge),
    ])
    func errorNumbersBecomeCodes(number: Int32, code: ServiceError.Code) throws {
        let failure = SystemCallFailure(call: "open", number: number)
        let error = failure.serviceError(for: "\"film.mp4\"", verb: "read")
        #expect(error.code == code)
        #expect(error.cause?.contains("errno \(number)") == true)
    }

    @Test func interruptedCallsAreMadeAgain() throws {
        var calls = 0
        let result = try retryingWhenInterrupted("read") { () -> Int in
            calls += 1
            errno = EINTR
            return calls < 3 ? -1 : 7
        }
        #expect(result == 7)
        #expect(calls == 3)
    }
}
