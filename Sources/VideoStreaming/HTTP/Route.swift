import HTTPTypes

/// Where a path leads.
enum Route: Sendable, Equatable {
    /// `/`: a page for people.
    case page
    /// `/healthz`: whether the process lives.
    case health
    /// `/readyz`: whether it can do its work.
    case readiness
    /// `/metrics`: what the process has counted.
    case metrics
    /// `/videos`: the list.
    case list
    /// `/videos/{id}`: one record.
    case record(id: String)
    /// `/videos/{id}/content`, and `/video`, whose id is in the query (`nil` here).
    case content(id: String?)

    /// The route of a path, as it stands in the request (percent-encoded); `nil` when it leads nowhere.
    ///
    /// Each part is decoded on its own, so that an encoded slash stays a part of the id. No trailing slash, no `.` or `..`:
    /// a resource has one name.
    init?(path: String) {
        let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { PercentEncoding.decode(Substring($0)) }
        guard parts.first == "" else { return nil }
        switch parts.count {
        case 2:
            switch parts[1] {
            case "": self = .page
            case "healthz": self = .health
            case "readyz": self = .readiness
            case "metrics": self = .metrics
            case "videos": self = .list
            case "video": self = .content(id: nil)
            default: return nil
            }
        case 3 where parts[1] == "videos" && !parts[2].isEmpty:
            self = .record(id: parts[2])
        case 4 where parts[1] == "videos" && !parts[2].isEmpty && parts[3] == "content":
            self = .content(id: parts[2])
        default:
            return nil
        }
    }

    /// What can be done there.
    var methods: [HTTPRequest.Method] {
        switch self {
        case .page, .health, .readiness, .metrics, .content(nil): [.get, .head, .options]
        case .list: [.get, .head, .options, .post]
        case .record: [.get, .head, .options, .patch, .delete]
        case .content: [.get, .head, .options, .put]
        }
    }

    /// Whether pages of other origins may read it.
    var isForOtherOrigins: Bool {
        switch self {
        case .list, .record, .content: true
        case .page, .health, .readiness, .metrics: false
        }
    }

    /// The route's pattern, for logs and metrics: a few fixed texts, whatever clients send.
    var pattern: String {
        switch self {
        case .page: "/"
        case .health: "/healthz"
        case .readiness: "/readyz"
        case .metrics: "/metrics"
        case .list: "/videos"
        case .record: "/videos/{id}"
        case .content(nil): "/video"
        case .content: "/videos/{id}/content"
        }
    }
}
