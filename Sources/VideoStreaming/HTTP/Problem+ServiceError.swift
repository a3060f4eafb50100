import Domain
import HTTPTypes

extension Problem {
    /// What a client is told of a service's error: the one place where error codes become statuses.
    ///
    /// The message goes out as it is, except for ``Domain/ServiceError/Code/internal``, whose details are for the log
    /// alone.
    init(_ error: ServiceError) {
        switch error.code {
        case .internal:
            self = .defect
        default:
            self.init(status: Self.status(of: error.code), detail: error.message, code: error.code)
        }
        switch status {
        case .serviceUnavailable: fields[.retryAfter] = "1"
        case .unauthorized: fields[.wwwAuthenticate] = "Bearer"
        default: break
        }
    }

    /// The status for each kind of failure.
    static func status(of code: ServiceError.Code) -> HTTPResponse.Status {
        switch code {
        case .invalidArgument: .badRequest
        case .unauthenticated: .unauthorized
        case .permissionDenied: .forbidden
        case .notFound: .notFound
        case .conflict: .conflict
        case .tooLarge: .contentTooLarge
        case .overloaded, .unavailable: .serviceUnavailable
        case .deadlineExceeded: .gatewayTimeout
        case .corrupt: .badGateway
        case .unimplemented: .notImplemented
        case .internal: .internalServerError
        }
    }
}
