import Crypto
import Domain
import HTTPTypes
import Hummingbird
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Makes, changes and deletes records.
struct ChangeHandler: Sendable {
    /// Knows the records.
    let metadata: any MetadataService
    /// Remembers what is delivered, and forgets here what has changed.
    let source: ContentSource
    /// Who may change them.
    let access: WriteAccess
    /// Limits and deadlines.
    let configuration: GatewayConfiguration

    /// `POST /videos`: a record whose bytes are still to be uploaded.
    func create(_ request: Request, _ context: GatewayContext) async -> Reply {
        await reply(to: request, context) { (deadline) throws(Refusal) in
            let fields = try await fields(of: request, context, types: ["application/json"], mayNameID: true)
            do throws(ServiceError) {
                let id = try Self.id(fields, request.headers)
                let video = try await make(fields, id, deadline)
                var reply = Reply(status: .created, json: VideoDocument(video))
                reply.fields[.location] = "/videos/\(id)"
                reply.fields[.eTag] = EntityTag(revision: video.revision).description
                return reply
            } catch {
                throw Refusal(error)
            }
        }
    }

    /// `PATCH /videos/{id}`: a JSON merge patch (RFC 7396).
    func change(_ id: VideoID, _ request: Request, _ context: GatewayContext) async -> Reply {
        await reply(to: request, context) { (deadline) throws(Refusal) in
            let types = ["application/merge-patch+json", "application/json"]
            let fields = try await fields(of: request, context, types: types, mayNameID: false)
            let revision = try await revision(of: id, request.headers, deadline)
            let command = CommandID.random()
            do throws(ServiceError) {
                let video = try await persistently(deadline) { [metadata] (deadline) throws(ServiceError) in
                    try await metadata.update(
                        id, fields.change, revision: revision, command: command, deadline: deadline)
                }
                source.recordChanged(id)
                var reply = Reply(json: VideoDocument(video))
                reply.fields[.eTag] = EntityTag(revision: video.revision).description
                return reply
            } catch {
                throw Self.refusal(error, isConditional: revision != nil)
            }
        }
    }

    /// `DELETE /videos/{id}`.
    func delete(_ id: VideoID, _ request: Request, _ context: GatewayContext) async -> Reply {
        await reply(to: request, context) { (deadline) throws(Refusal) in
            let revision = try await revision(of: id, request.headers, deadline)
            let command = CommandID.random()
            do throws(ServiceError) {
                try await persistently(deadline) { [metadata] (deadline) throws(ServiceError) in
                    try await metadata.delete(id, revision: revision, command: command, deadline: deadline)
                }
                source.recordChanged(id)
                return Reply(status: .noContent, fields: HTTPFields(), body: .none)
            } catch {
                throw Self.refusal(error, isConditional: revision != nil)
            }
        }
    }

    private func reply(
        to request: Request, _ context: GatewayContext, _ work: (Deadline) async throws(Refusal) -> Reply
    ) async -> Reply {
        do throws(ServiceError) {
            try access.check(request.headers)
        } catch {
            return Reply(Refusal(error), to: request, context)
        }
        do throws(Refusal) {
            return try await work(configuration.requestDeadline)
        } catch {
            return Reply(error, to: request, context)
        }
    }

    private func persistently<Value: Sendable>(
        _ deadline: Deadline, _ call: (Deadline) async throws(ServiceError) -> Value
    ) async throws(ServiceError) -> Value {
        try await PersistentCall(attemptDeadline: deadline.remaining(), giveUp: deadline).perform(call)
    }

    private func make(_ fields: VideoFields, _ id: VideoID, _ deadline: Deadline) async throws(ServiceError) -> Video {
        let video = NewVideo(
            id: id, videoPath: "videos/\(id)", title: fields.change.title.applied(to: nil),
            description: fields.change.description.applied(to: nil),
            contentType: fields.change.contentType.applied(to: nil), awaitsUpload: true)
        // It has its id already, so that making it twice makes it once.
        return try await persistently(deadline) { [metadata] (deadline) throws(ServiceError) in
            try await metadata.create(video, deadline: deadline)
        }
    }

    private func fields(
        of request: Request, _ context: GatewayContext, types: [String], mayNameID: Bool
    ) async throws(Refusal) -> VideoFields {
        let body = UploadBody(request, channel: context.channel)
        if body.isPresent {
            let essence = request.headers[.contentType]?.split(separator: ";").first.map(String.init) ?? ""
            guard types.contains(essence.trimmedOfBlanks.lowercased()) else {
                throw Refusal(
                    Problem(
                        status: .unsupportedMediaType,
                        detail: "Send the fields as JSON, with Content-Type: \(types.joined(separator: " or "))."))
            }
        }
        let bytes = try await body.collected(upTo: VideoFields.maxBytes, policy: configuration.uploads)
        do throws(ServiceError) {
            return try VideoFields(bytes, mayNameID: mayNameID)
        } catch {
            throw Refusal(error)
        }
    }

    /// The revision that `If-Match` asks for; `nil` when it asks for none.
    private func revision(
        of id: VideoID, _ fields: HTTPFields, _ deadline: Deadline
    ) async throws(Refusal) -> Int64? {
        guard let condition = fields[.ifMatch].map(EntityTagCondition.init) else { return nil }
        let video: Video
        do throws(ServiceError) {
            video = try await metadata.find(id, deadline: deadline)
        } catch {
            throw Refusal(error)
        }
        guard condition.holdsStrongly(for: EntityTag(revision: video.revision)) else { throw Self.changed }
        return condition == .any ? nil : video.revision
    }

    private static func refusal(_ error: ServiceError, isConditional: Bool) -> Refusal {
        isConditional && error.code == .conflict ? changed : Refusal(error)
    }

    private static let changed = Refusal(
        Problem(
            status: .preconditionFailed,
            detail: "The record has changed since; read it again, and send the ETag that it has now as If-Match.",
            code: .conflict))

    /// The id that the video gets: the one that is asked for; else one that the same `Idempotency-Key` always leads to, so
    /// that a request which is sent again makes no second video; else a new one.
    private static func id(_ fields: VideoFields, _ headers: HTTPFields) throws(ServiceError) -> VideoID {
        if let id = fields.id { return id }
        let bytes: [UInt8]
        if let key = headers[.idempotencyKey] {
            bytes = Array(SHA256.hash(data: Data("millrace video \(key)".utf8)).prefix(12))
        } else {
            // As MongoDB makes its own: the seconds first, so that lists are in the order of time.
            let seconds = UInt32(truncatingIfNeeded: Int64(Date().timeIntervalSince1970))
            var generator = SystemRandomNumberGenerator()
            let random: UInt64 = generator.next()
            bytes =
                [0, 8, 16, 24].reversed().map { UInt8(truncatingIfNeeded: seconds >> $0) }
                + (0..<8).map { UInt8(truncatingIfNeeded: random >> ($0 * 8)) }
        }
        let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        guard let id = VideoID(digits) else { throw ServiceError(.internal, "No id could be made.") }
        return id
    }
}

extension EntityTag {
    /// The tag of a record's revision.
    init(revision: Int64) {
        self.init(strong: "\(revision)")
    }
}

extension HTTPField.Name {
    /// draft-ietf-httpapi-idempotency-key-header; HTTPTypes does not list it. The fallback is never taken: the text is a
    /// token.
    fileprivate static let idempotencyKey = HTTPField.Name("Idempotency-Key") ?? .contentType
}

extension String {
    /// Without blanks at either end.
    fileprivate var trimmedOfBlanks: String {
        let start = drop { $0 == " " || $0 == "\t" }
        return String(start.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
