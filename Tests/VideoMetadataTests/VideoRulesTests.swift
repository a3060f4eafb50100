import Domain
import Testing

@testable import VideoMetadata

@Suite struct VideoRulesTests {
    private func check(_ video: NewVideo) -> ServiceError? {
        do {
            try VideoRules.check(video)
            return nil
        } catch {
            return error
        }
    }

    @Test func fieldsAtTheirLimitsAreAccepted() {
        let video = NewVideo(
            videoPath: String(repeating: "p", count: 1_024), title: String(repeating: "t", count: 1_024),
            description: String(repeating: "d", count: 16_384), contentType: "video/mp4")
        #expect(check(video) == nil)
    }

    @Test(arguments: ["video/mp4", "application/vnd.apple.mpegurl", "video/mp4; codecs=\"a, b\"", "video/mp4 ;x=y"])
    func mediaTypesAreAccepted(contentType: String) {
        #expect(check(NewVideo(videoPath: "film.mp4", contentType: contentType)) == nil)
    }

    @Test(arguments: [
        "", "video", "video/", "/mp4", "video/mp4/x", "vi deo/mp4", "video/mp4\n", "vidéo/mp4", "video/mp4\u{7F}",
    ])
    func textsThatAreNoMediaTypesAreRefused(contentType: String) {
        let error = check(NewVideo(videoPath: "film.mp4", contentType: contentType))
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.hasPrefix("contentType ") == true)
    }

    @Test(arguments: ["", "../film.mp4", "/film.mp4", "a\0b", "a\\b", String(repeating: "p", count: 1_025)])
    func pathsThatAreNoKeysAreRefused(videoPath: String) {
        let error = check(NewVideo(videoPath: videoPath))
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.hasPrefix("videoPath ") == true)
    }

    @Test func fieldsOverTheirLimitsAreRefusedByName() {
        let title = check(NewVideo(videoPath: "film.mp4", title: String(repeating: "ü", count: 513)))
        #expect(title?.code == .invalidArgument && title?.message.hasPrefix("title ") == true)
        let description = check(NewVideo(videoPath: "film.mp4", description: String(repeating: "d", count: 16_385)))
        #expect(description?.code == .invalidArgument && description?.message.hasPrefix("description ") == true)
    }
}
