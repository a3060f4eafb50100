import Domain
import Foundation
import HTTPTypes
import TestKit
import Testing

@testable import VideoStreaming

/// Targets of requests at random, 50,000 of them, a million in the long run: whatever comes, no crash, a route out of the
/// fixed ones, and an id that is none or well-formed.
struct TargetFuzzTests {
    private static let pieces = [
        "/", "//", "video", "videos", "content", "healthz", "?", "&", "=", "id", "id=", "limit=", "cursor=", "#", "%",
        "%2", "%2F", "%00", "%zz", "%C3%BC", "%FF", "..", ".", ";", "+", " ", "ü", "\u{0}", "5d9e690ad76fe06a3d7ae416",
        "%35d9e690ad76fe06a3d7ae416", "5D9E690AD76FE06A3D7AE416", "http://host", "*", "999999999999999999999",
    ]
    private static let patterns: Set<String> = [
        "/", "/healthz", "/readyz", "/metrics", "/videos", "/videos/{id}", "/video", "/videos/{id}/content",
    ]

    @Test func noTargetLeadsAstray() async throws {
        let seed =
            ProcessInfo.processInfo.environment["MILLRACE_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
        print("seed of the targets' fuzz test: \(seed)")
        var random = SeededRandom(seed: seed)
        for number in 0..<(LongRuns.areWanted ? 1_000_000 : 50_000) {
            if number.isMultiple(of: 1_000) { await Task.yield() }
            let text = (0..<Int.random(in: 0...8, using: &random)).reduce(into: "") { text, _ in
                text += Self.pieces.randomElement(using: &random) ?? ""
            }
            let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            let route = Route(path: String(parts.first ?? ""))
            let query = QueryParameters(parts.count > 1 ? String(parts[1]) : nil)
            if let route {
                try #require(Self.patterns.contains(route.pattern), "seed \(seed): \(text)")
                try #require(route.methods.contains(.options), "seed \(seed): \(text)")
            }
            guard case .content(let id)? = route else { continue }
            let result = Result { try VideoIDParameter.parse(id, else: query) }
            switch result {
            case .success(let video):
                let isWellFormed = VideoID(video.description) == video && video.description.utf8.count == 24
                try #require(isWellFormed, "seed \(seed): \(text)")
            case .failure(let error):
                try #require((error as? ServiceError)?.code == .invalidArgument, "seed \(seed): \(text)")
            }
        }
    }
}
