import Domain

/// The page itself: one file, no script, no outside assets, light and dark.
struct VideoPageView: Sendable {
    /// The videos to choose from.
    let videos: [Video]
    /// The one that the player shows.
    let chosen: VideoID?
    /// Whether there are more than these.
    var hasMore = false
    /// Something to say instead of a list.
    var notice: String?

    /// The page as HTML.
    var html: String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>\(heading) – Millrace</title>
        <style>\(Self.style)</style>
        </head>
        <body>
        <main>
        <h1>\(heading)</h1>
        \(player)
        \(synopsis)
        <nav aria-label="Videos">
        \(list)
        </nav>
        </main>
        </body>
        </html>

        """
    }

    private var chosenVideo: Video? { videos.first { $0.id == chosen } }

    private var heading: String { HTMLText.escape(chosenVideo.map(Self.name) ?? "Videos") }

    private var player: String {
        guard let chosen else { return "" }
        return "<video controls preload=\"metadata\" src=\"/videos/\(chosen)/content\"></video>"
    }

    private var synopsis: String {
        guard let text = chosenVideo?.description, !text.isEmpty else { return "" }
        return "<p>\(HTMLText.escape(text))</p>"
    }

    private var list: String {
        if let notice { return "<p role=\"alert\">\(HTMLText.escape(notice))</p>" }
        if videos.isEmpty { return "<p>There is no video yet. Add one with <code>millrace import</code>.</p>" }
        let items = videos.map { video in
            let mark = video.id == chosen ? " aria-current=\"true\"" : ""
            return "<li><a href=\"/?id=\(video.id)\"\(mark)>\(HTMLText.escape(Self.name(video)))</a></li>"
        }
        let more = hasMore ? "\n<p>There are more: see <a href=\"/videos\">/videos</a>.</p>" : ""
        return "<ul>\n\(items.joined(separator: "\n"))\n</ul>\(more)"
    }

    /// The title, else the file's name.
    private static func name(_ video: Video) -> String {
        if let title = video.title, !title.isEmpty { return title }
        return video.videoPath.split(separator: "/").last.map(String.init) ?? video.id.description
    }

    private static let style = """
        :root{color-scheme:light dark}
        body{margin:0;font:16px/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}
        main{max-width:56rem;margin:0 auto;padding:1.5rem}
        h1{font-size:1.4rem;margin:0 0 1rem;overflow-wrap:anywhere}
        video{width:100%;max-height:75vh;background:#000;border-radius:8px}
        ul{list-style:none;padding:0}
        a{display:block;padding:.5rem .75rem;border-radius:6px;color:inherit;text-decoration:none;overflow-wrap:anywhere}
        p a{display:inline;padding:0;text-decoration:underline}
        a:hover{background:color-mix(in srgb,CanvasText 8%,transparent)}
        a[aria-current]{background:color-mix(in srgb,CanvasText 14%,transparent);font-weight:600}
        """
}
