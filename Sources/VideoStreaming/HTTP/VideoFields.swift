import Domain
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The members of a JSON object that a client sends about a video.
struct VideoFields: Sendable, Equatable {
    /// The most bytes that such an object may have: the longest fields there may be, each character written as `\u0000`.
    static let maxBytes = 131_072

    /// What a member holds.
    private enum Value: Decodable {
        case text(String)
        case null
        case other

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else {
                self = .other
            }
        }
    }

    private static let changeable = ["title", "description", "contentType"]

    /// What becomes of the fields that may be changed.
    let change: VideoChange
    /// The id that the video shall have.
    let id: VideoID?

    /// Reads the object; nothing at all counts as an empty one.
    ///
    /// - Parameters:
    ///   - body: The bytes.
    ///   - mayNameID: Whether `id` is allowed.
    /// - Throws: `invalidArgument` that names the member: one that is not known is a mistake that would otherwise go
    ///   unnoticed.
    init(_ body: ByteBuffer, mayNameID: Bool) throws(ServiceError) {
        var values: [String: Value] = [:]
        if body.readableBytes > 0 {
            do {
                values = try JSONDecoder().decode([String: Value].self, from: Data(body.readableBytesView))
            } catch {
                throw ServiceError(.invalidArgument, "The body is no JSON object.", cause: error)
            }
        }
        id = try mayNameID ? Self.id(values.removeValue(forKey: "id")) : nil
        let allowed = Self.changeable + (mayNameID ? ["id"] : [])
        if let name = values.keys.sorted().first(where: { !Self.changeable.contains($0) }) {
            throw ServiceError(
                .invalidArgument,
                "The member \"\(name.prefix(64))\" cannot be given here; these can: \(allowed.joined(separator: ", "))."
            )
        }
        change = VideoChange(
            title: try Self.field("title", values), description: try Self.field("description", values),
            contentType: try Self.field("contentType", values))
    }

    private static func field(_ name: String, _ values: [String: Value]) throws(ServiceError) -> FieldChange {
        switch values[name] {
        case nil: return .keep
        case .null: return .remove
        case .text(let text): return .set(text)
        case .other: throw ServiceError(.invalidArgument, "The member \"\(name)\" is neither a text nor null.")
        }
    }

    private static func id(_ value: Value?) throws(ServiceError) -> VideoID? {
        switch value {
        case nil, .null: return nil
        case .text(let text):
            if let id = VideoID(text) { return id }
        case .other: break
        }
        throw ServiceError(.invalidArgument, "The member \"id\" is no video id: 24 hexadecimal digits.")
    }
}
