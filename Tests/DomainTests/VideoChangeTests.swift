import Domain
import Foundation
import Testing

@Suite struct VideoChangeTests {
    private let video: Video

    init() throws {
        video = Video(
            id: try #require(VideoID(String(repeating: "a", count: 24))), videoPath: "a.mp4", title: "A",
            description: "B", state: .awaitingUpload)
    }

    private func content(_ version: String, at seconds: Double) throws -> VideoContent {
        VideoContent(
            version: try #require(ObjectVersion(version)), size: 1, contentType: nil,
            committedAt: Date(timeIntervalSince1970: seconds))
    }

    @Test func eachFieldStaysGoesOrIsReplaced() {
        let changed = VideoChange(title: .remove, contentType: .set("video/mp4")).applied(to: video)
        #expect(changed.title == nil && changed.description == "B" && changed.contentType == "video/mp4")
        #expect(VideoChange().applied(to: video) == video)
    }

    @Test func contentMakesAVideoReady() throws {
        let content = try content("v1", at: 1)
        let taken = try #require(video.taking(content))
        #expect(taken.state == .ready && taken.content == content)
    }

    @Test func contentThatIsToldLateChangesNothing() throws {
        let taken = try #require(video.taking(try content("v2", at: 2)))
        #expect(taken.taking(try content("v1", at: 1)) == nil)
        #expect(taken.taking(try content("v2", at: 2)) == nil)
        #expect(taken.taking(try content("v3", at: 3))?.content?.version.description == "v3")
    }

    @Test func aDeletedVideoTakesNoContent() throws {
        var deleted = video
        deleted.state = .deleted
        #expect(deleted.taking(try content("v1", at: 1)) == nil)
    }

    @Test(arguments: ["", "a b", "a/b", "ä", String(repeating: "a", count: 65)])
    func whatIsNoCommandIdIsRefused(_ text: String) {
        #expect(CommandID(text) == nil)
    }

    @Test func commandIdsAreNeverTheSame() {
        #expect(CommandID.random() != CommandID.random())
        #expect(CommandID("c-1_2.3")?.description == "c-1_2.3")
    }
}
