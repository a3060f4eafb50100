import Domain
import Foundation
import Testing

struct VideoIDTests {
    @Test func twentyFourHexadecimalDigitsAreAnID() throws {
        #expect(try #require(VideoID("5D9E690ad76fe06a3d7ae416")).description == "5d9e690ad76fe06a3d7ae416")
    }

    @Test(arguments: [
        "", "5d9e690ad76fe06a3d7ae41", "5d9e690ad76fe06a3d7ae4160", "5d9e690ad76fe06a3d7ae41g",
        "5d9e690ad76fe06a3d7ae41 ",
        "５d9e690ad76fe06a3d7ae416", "\u{0}d9e690ad76fe06a3d7ae416", String(repeating: "0", count: 100_000),
    ])
    func anythingElseIsNot(text: String) {
        #expect(VideoID(text) == nil)
    }

    @Test func idsSortByTheirBytes() throws {
        let small = try #require(VideoID("000000000000000000000009"))
        let large = try #require(VideoID("00000000000000000000000A"))
        #expect(small < large)
    }

    @Test func jsonHoldsTheDigitsAndRefusesOthers() throws {
        let id = try #require(VideoID("5d9e690ad76fe06a3d7ae416"))
        let data = try JSONEncoder().encode([id])
        #expect(String(decoding: data, as: UTF8.self) == "[\"5d9e690ad76fe06a3d7ae416\"]")
        #expect(try JSONDecoder().decode([VideoID].self, from: data) == [id])
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([VideoID].self, from: Data("[\"5d\"]".utf8))
        }
    }
}
