import Domain
import Foundation
import TestKit
import Testing

@testable import Contracts

/// Moments cross the wire as whole milliseconds since 1970.
struct MomentTests {
    @Test func everyMillisecondCrossesUnchanged() {
        var random = SeededRandom(seed: 1_970)
        for _ in 0..<100_000 {
            // From the year 1 to the year 9999.
            let milliseconds = Int64.random(in: -62_135_596_800_000...253_402_300_799_999, using: &random)
            guard Date(milliseconds: milliseconds).milliseconds == milliseconds else {
                Issue.record("\(milliseconds) ms became \(Date(milliseconds: milliseconds).milliseconds) ms")
                return
            }
        }
    }

    @Test func finerPartsAreRounded() {
        #expect(Date(timeIntervalSince1970: 1.000_4).milliseconds == 1_000)
        #expect(Date(timeIntervalSince1970: 1.000_6).milliseconds == 1_001)
        #expect(Date(timeIntervalSince1970: -1.000_6).milliseconds == -1_001)
    }

    /// Any MongoDB client may have put such a date into a record; a file system may, too.
    @Test(arguments: [Int64.min, .min + 1, .max - 1, .max])
    func aMomentAtTheEndOfTimeDoesNotStopAWorker(_ milliseconds: Int64) throws {
        let moment = Date(milliseconds: milliseconds)
        let video = Video(
            id: try Samples.id("a"), videoPath: "a.mp4", createdAt: moment, updatedAt: moment)
        let payload = VideoPayload(video)
        #expect(payload.createdAtMilliseconds == (milliseconds < 0 ? .min : .max))
        #expect(payload.updatedAtMilliseconds == (milliseconds < 0 ? .min : .max))
    }

    @Test(arguments: [Double.infinity, -.infinity, .nan, .greatestFiniteMagnitude, 1e300, -1e300])
    func aMomentThatIsNoneDoesNotStopAWorker(_ seconds: Double) {
        let milliseconds = Date(timeIntervalSince1970: seconds).milliseconds
        #expect(milliseconds == (seconds.isNaN ? 0 : seconds < 0 ? .min : .max))
    }
}
