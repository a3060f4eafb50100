import Domain

/// A page of records as JSON. Deleted ones are left out, so that a page may hold fewer than were asked for, even none;
/// only a missing `next` means that there are no more.
struct VideoListDocument: Encodable {
    private let videos: [VideoDocument]
    private let next: String?

    /// The document of a page.
    init(_ page: VideoPage) {
        videos = page.videos.filter { $0.state != .deleted }.map(VideoDocument.init)
        next = page.next?.description
    }
}
