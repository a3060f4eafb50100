import Domain
import HTTPTypes

/// Answers for the records: one, or a page of them.
struct RecordHandler: Sendable {
    /// Knows the records.
    let metadata: any MetadataService
    /// Deadlines.
    let configuration: GatewayConfiguration

    /// `GET /videos/{id}`.
    func reply(id: VideoID, fields: HTTPFields) async -> Reply {
        do throws(ServiceError) {
            let video = try await metadata.find(id, deadline: configuration.requestDeadline)
            guard video.state != .deleted else {
                throw ServiceError(.notFound, "There is no video \(id): it was deleted.")
            }
            let tag = EntityTag(revision: video.revision)
            var reply = Reply(json: VideoDocument(video), fields: [.eTag: tag.description])
            if let condition = fields[.ifNoneMatch].map(EntityTagCondition.init), condition.holdsWeakly(for: tag) {
                reply = Reply(status: .notModified, fields: [.eTag: tag.description], body: .none)
            }
            return reply
        } catch {
            return Reply(error)
        }
    }

    /// `GET /videos?cursor=&limit=`.
    func list(_ query: QueryParameters) async -> Reply {
        do throws(ServiceError) {
            let limit = try Self.limit(query)
            let cursor = try Self.cursor(query)
            let page = try await metadata.list(after: cursor, limit: limit, deadline: configuration.requestDeadline)
            var fields = HTTPFields()
            if let next = page.next { fields[.link] = "</videos?cursor=\(next)&limit=\(limit)>; rel=\"next\"" }
            return Reply(json: VideoListDocument(page), fields: fields)
        } catch {
            return Reply(error)
        }
    }

    private static func limit(_ query: QueryParameters) throws(ServiceError) -> Int {
        guard let text = try query.value("limit") else { return MetadataLimits.defaultPageSize }
        guard let limit = Int(text), (1...MetadataLimits.maxPageSize).contains(limit) else {
            throw ServiceError(
                .invalidArgument, "limit must be a whole number from 1 to \(MetadataLimits.maxPageSize).")
        }
        return limit
    }

    private static func cursor(_ query: QueryParameters) throws(ServiceError) -> VideoID? {
        guard let text = try query.value("cursor") else { return nil }
        guard let cursor = VideoID(text) else {
            throw ServiceError(.invalidArgument, "cursor must be the \"next\" of the page before.")
        }
        return cursor
    }
}

extension HTTPField.Name {
    /// RFC 8288; HTTPTypes does not list it. The fallback is never taken: the text is a token.
    fileprivate static let link = HTTPField.Name("Link") ?? .location
}
