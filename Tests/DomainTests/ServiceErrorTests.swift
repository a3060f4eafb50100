import Domain
import Testing

struct ServiceErrorTests {
    private struct Cause: Error {}

    @Test func theDescriptionNamesEverythingForTheLog() {
        let error = ServiceError(.corrupt, "The bytes differ.", cause: Cause())
        #expect(error.description.hasPrefix("corrupt: The bytes differ. (at DomainTests/ServiceErrorTests.swift:"))
        #expect(error.description.hasSuffix("cause: Cause())"))
    }

    @Test func whereAnErrorWasRaisedDoesNotCount() {
        #expect(ServiceError(.notFound, "x", cause: Cause()) == ServiceError(.notFound, "x"))
        #expect(ServiceError(.notFound, "x") != ServiceError(.notFound, "y"))
        #expect(ServiceError(.notFound, "x") != ServiceError(.conflict, "x"))
    }

    @Test(arguments: ServiceError.Code.allCases)
    func onlyOverloadAndAbsenceAreTransient(code: ServiceError.Code) {
        #expect(ServiceError(code, "").isTransient == [.overloaded, .unavailable].contains(code))
    }
}
