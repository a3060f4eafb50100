import Domain
import HTTPTypes
import NIOCore

/// Answers `GET /`: a page with a player and the list of the videos, for people who open the gateway in a browser.
struct PageHandler: Sendable {
    /// Knows the records.
    let metadata: any MetadataService
    /// Deadlines.
    let configuration: GatewayConfiguration

    /// The page; with `?id=` that video is chosen, else the first one.
    ///
    /// When the list cannot be had, the page says so (503, to be tried again) and still plays what was asked for.
    func reply(_ query: QueryParameters) async -> Reply {
        do throws(ServiceError) {
            let chosen = try VideoIDParameter.optional(query)
            let deadline = configuration.requestDeadline
            do throws(ServiceError) {
                let page = try await metadata.list(
                    after: nil, limit: MetadataLimits.defaultPageSize, deadline: deadline)
                let videos = page.videos.filter { $0.state == .ready }
                let view = VideoPageView(videos: videos, chosen: chosen ?? videos.first?.id, hasMore: page.next != nil)
                return Self.reply(view, status: .ok)
            } catch {
                let view = VideoPageView(videos: [], chosen: chosen, notice: Problem(error).detail)
                var reply = Self.reply(view, status: Problem(error).status)
                for field in Problem(error).fields { reply.fields[field.name] = field.value }
                reply.failure = error
                return reply
            }
        } catch {
            return Reply(error)
        }
    }

    private static func reply(_ view: VideoPageView, status: HTTPResponse.Status) -> Reply {
        let fields: HTTPFields = [
            .contentType: "text/html; charset=utf-8",
            .xContentTypeOptions: "nosniff",
            .cacheControl: "no-cache",
            // Nothing from anywhere else, and no script: titles come from a database that others write to.
            .contentSecurityPolicy:
                "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; base-uri 'none'; form-action 'none'",
        ]
        return Reply(status: status, fields: fields, body: .bytes(ByteBuffer(string: view.html)))
    }
}
