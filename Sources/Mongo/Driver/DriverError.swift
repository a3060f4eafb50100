internal import CMongoC

/// The table from what libmongoc and the server report to ``MongoError/Kind``.
enum DriverError {
    /// The kind for an error of libmongoc's (error API version 2: the server's codes come in a domain of their own).
    static func kind(domain: UInt32, code: UInt32) -> MongoError.Kind {
        switch mongoc_error_domain_t(domain) {
        case MONGOC_ERROR_STREAM, MONGOC_ERROR_SERVER_SELECTION, MONGOC_ERROR_POOL, MONGOC_ERROR_PROTOCOL:
            .unavailable
        case MONGOC_ERROR_CLIENT where mongoc_error_code_t(code) == MONGOC_ERROR_CLIENT_AUTHENTICATE,
            MONGOC_ERROR_SASL, MONGOC_ERROR_SCRAM:
            .invalidConfiguration
        case MONGOC_ERROR_CLIENT:
            .unavailable
        case MONGOC_ERROR_BSON:
            .malformedDocument
        case MONGOC_ERROR_WRITE_CONCERN:
            .unavailable
        default:
            kind(serverCode: Int32(truncatingIfNeeded: code))
        }
    }

    /// The kind for one of the server's codes (`src/mongo/base/error_codes.yml` in the server's source).
    static func kind(serverCode code: Int32) -> MongoError.Kind {
        switch code {
        case 11000, 11001, 12582:  // DuplicateKey and its forerunners
            .duplicateKey
        case 50, 202, 262:  // MaxTimeMSExpired, NetworkInterfaceExceededTimeLimit, ExceededTimeLimit
            .deadlineExceeded
        case 6, 7, 89, 9001:  // HostUnreachable, HostNotFound, NetworkTimeout, SocketException
            .unavailable
        case 91, 11600, 11602, 189, 10107, 13435, 13436:  // shutting down, stepping down, not (yet) primary
            .unavailable
        case 64, 100:  // WriteConcernFailed, UnsatisfiableWriteConcern: done here, not known to be safe
            .unavailable
        case 18:  // AuthenticationFailed
            .invalidConfiguration
        case 10334, 17419, 17420:  // BSONObjectTooLarge, and updates that would make a document too large
            .tooLarge
        default:
            .commandFailed(code: code)
        }
    }

    /// An error of libmongoc's, with what the reply adds.
    static func error(_ error: bson_error_t, reply: BSONDocument? = nil) -> MongoError {
        let text = message(of: error)
        if error.domain == MONGOC_ERROR_SERVER.rawValue {
            return serverError(code: Int32(truncatingIfNeeded: error.code), text: text, details: reply)
        }
        let kind = kind(domain: error.domain, code: error.code)
        return MongoError(kind, describe(kind, text))
    }

    /// An error that the server reports, in an element of `writeErrors` or in a reply.
    static func serverError(code: Int32, text: String, details: BSONDocument?) -> MongoError {
        let kind = kind(serverCode: code)
        let fields = details?["keyPattern"]?.documentValue?.names.joined(separator: ", ")
        return MongoError(kind, describe(kind, text), field: kind == .duplicateKey ? fields : nil)
    }

    /// The error in the reply to a command that the server carried out in part or not at all; nil when all is well.
    static func writeError(in reply: BSONDocument) -> MongoError? {
        if case .document(let first)? = reply["writeErrors"]?.arrayValue?.first {
            return serverError(
                code: Int32(clamping: first["code"]?.integerValue ?? 0), text: first["errmsg"]?.stringValue ?? "",
                details: first)
        }
        if case .document(let concern)? = reply["writeConcernError"] {
            return serverError(
                code: Int32(clamping: concern["code"]?.integerValue ?? 64),
                text: concern["errmsg"]?.stringValue ?? "", details: nil)
        }
        return nil
    }

    private static func describe(_ kind: MongoError.Kind, _ text: String) -> String {
        switch kind {
        case .unavailable:
            return
                "MongoDB cannot be used now: \(text). Is mongod running, and reachable under the URI that was configured?"
        case .invalidConfiguration:
            return "MongoDB refused the credentials: \(text). Check user, password and authSource in the URI"
        case .duplicateKey:
            // The server quotes the values after "dup key:"; they are the document's content.
            let index = text.firstRange(of: " dup key:").map { text[..<$0.lowerBound] } ?? text[...]
            return "a document with that key exists already: \(index)"
        case .deadlineExceeded:
            return "the deadline passed while MongoDB was working: \(text)"
        case .commandFailed(let code):
            return "MongoDB refused the command with code \(code): \(text)"
        default:
            return text
        }
    }

    private static func message(of error: bson_error_t) -> String {
        withUnsafeBytes(of: error.message) { buffer in
            String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
