import Foundation
import TestKit
import Testing

@testable import VideoStreaming

struct HTTPDateTests {
    private static let example: Int64 = 784_111_777

    private func now() throws -> HTTPDate { try #require(HTTPDate(secondsSinceEpoch: 1_790_000_000)) }

    @Test(arguments: ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])
    func allThreeFormsAreRead(text: String) throws {
        #expect(HTTPDate(text, now: try now())?.secondsSinceEpoch == Self.example)
    }

    @Test(
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (-62_135_596_800, "Mon, 01 Jan 0001 00:00:00 GMT"),
        ] as [(Int64, String)])
    func aMomentIsWrittenAsFixdate(seconds: Int64, text: String) throws {
        let date = try #require(HTTPDate(secondsSinceEpoch: seconds))
        #expect(date.description == text)
        #expect(HTTPDate(text, now: try now()) == date)
    }

    @Test(arguments: [
        "", " ", ",", "Sun,", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Son, 06 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49 GMT", "Sun, +6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun  Nov  6 08:49:37 1994", "Sun Nov 6 08:49:37 1994", "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT", "٠٦", "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    ])
    func anythingElseIsNoDate(text: String) throws {
        #expect(HTTPDate(text, now: try now()) == nil)
    }

    @Test func aYearOfTwoDigitsIsAtMostFiftyYearsAhead() throws {
        // Now is 2026: 76 may still come, 77 was.
        #expect(HTTPDate("Monday, 06-Jul-76 00:00:00 GMT", now: try now())?.description.contains("2076") == true)
        #expect(HTTPDate("Monday, 06-Jul-77 00:00:00 GMT", now: try now())?.description.contains("1977") == true)
    }

    @Test func aLeapSecondIsTheNextMinute() throws {
        let leap = HTTPDate("Sat, 31 Dec 2016 23:59:60 GMT", now: try now())
        #expect(leap?.description == "Sun, 01 Jan 2017 00:00:00 GMT")
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity, 1e300, -1e300, 253_402_300_800])
    func whatHTTPCannotWriteIsNoDate(seconds: Double) {
        #expect(HTTPDate(Date(timeIntervalSince1970: seconds)) == nil)
    }

    @Test func fractionsOfASecondAreDropped() {
        #expect(HTTPDate(Date(timeIntervalSince1970: 9.999))?.secondsSinceEpoch == 9)
        #expect(HTTPDate(Date(timeIntervalSince1970: -0.5))?.secondsSinceEpoch == -1)
    }

    @Test func everyMomentComesBackFromItsText() async throws {
        var random = SeededRandom(seed: 9_110)
        for number in 0..<20_000 {
            if number.isMultiple(of: 100) { await Task.yield() }
            let date = try #require(
                HTTPDate(secondsSinceEpoch: .random(in: -62_135_596_800...253_402_300_799, using: &random)))
            #expect(HTTPDate(date.description, now: try now()) == date)
        }
    }
}
