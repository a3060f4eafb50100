internal import Domain
internal import NIOCore
internal import RPC

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension RPCPayload {
    /// A payload of JSON.
    static func json(_ value: some Encodable) throws(ServiceError) -> RPCPayload {
        do {
            let data = try JSONEncoder().encode(value)
            return RPCPayload(contentType: json, body: ByteBuffer(bytes: data))
        } catch {
            throw ServiceError(.internal, "A payload cannot be written as JSON.", cause: error)
        }
    }

    /// Reads JSON. Unknown members are ignored, so that neighbouring versions understand each other.
    ///
    /// - Parameters:
    ///   - type: What to read.
    ///   - fault: Whose fault it is when it cannot be read: `invalidArgument` for a request, `internal` for a reply.
    /// - Returns: What was read.
    /// - Throws: An error of that code that names the member.
    func decode<Value: Decodable>(_ type: Value.Type, orThrow fault: ServiceError.Code) throws(ServiceError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(body.readableBytesView))
        } catch {
            throw ServiceError(
                fault, "The payload is not the JSON that was expected: \(Self.place(of: error)).", cause: error)
        }
    }

    /// Which member is wrong, without repeating what came in.
    private static func place(of error: any Error) -> String {
        guard let error = error as? DecodingError else { return "it cannot be parsed" }
        func subject(_ context: DecodingError.Context, _ key: [any CodingKey] = []) -> String {
            let path = (context.codingPath + key).map(\.stringValue).joined(separator: ".")
            return path.isEmpty ? "it" : "the member \(path)"
        }
        return switch error {
        case .keyNotFound(let key, let context): "\(subject(context, [key])) is missing"
        case .typeMismatch(let type, let context): "\(subject(context)) is not a \(type)"
        case .valueNotFound(_, let context): "\(subject(context)) is null"
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            "it is not valid JSON, or holds a number that does not fit"
        case .dataCorrupted(let context): "\(subject(context)) has a value that it cannot have"
        @unknown default: "it cannot be parsed"
        }
    }
}
