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
        func path(_ context: DecodingError.Context) -> String {
            context.codingPath.map(\.stringValue).joined(separator: ".")
        }
        return switch error {
        case .keyNotFound(let key, let context): "the member \((path(context) + "." + key.stringValue)) is missing"
        case .typeMismatch(let type, let context): "the member \(path(context)) is not a \(type)"
        case .valueNotFound(_, let context): "the member \(path(context)) is null"
        case .dataCorrupted(let context): "\(path(context)) \(context.debugDescription)"
        @unknown default: "it cannot be parsed"
        }
    }
}
