import Domain
import Foundation
import Testing

@testable import MillraceCLI

/// Records as mongoexport writes them.
struct ImportRecordTests {
    private static let id = "5d9e690ad76fe06a3d7ae416"

    private func records(_ text: String) throws -> [ImportRecord] {
        try ImportRecord.records(in: Data(text.utf8))
    }

    @Test(arguments: [
        #"{"_id":{"$oid":"5d9e690ad76fe06a3d7ae416"},"videoPath":"a.mp4"}"#,
        #"{"_id":"5d9e690ad76fe06a3d7ae416","videoPath":"a.mp4"}"#,
        #"{ "_id" : { "$oid" : "5D9E690AD76FE06A3D7AE416" } , "videoPath" : "a.mp4" }"#,
        #"[{"_id":{"$oid":"5d9e690ad76fe06a3d7ae416"},"videoPath":"a.mp4"}]"#,
        "\u{FEFF}[\r\n\t{\"_id\":{\"$oid\":\"5d9e690ad76fe06a3d7ae416\"},\"videoPath\":\"a.mp4\"}\r\n]\r\n",
    ])
    func aRecordOfIdAndPathIsRead(_ text: String) throws {
        #expect(try records(text).map(\.video) == [NewVideo(id: VideoID(Self.id), videoPath: "a.mp4")])
    }

    @Test func everythingThatARecordHasIsRead() throws {
        let text = #"""
            {"videoPath":"films/{1} [\"2\"].mp4","title":"A \\ } ] \u00fc 🎬","description":"","contentType":"video/mp4"}
            """#
        #expect(
            try records(text).map(\.video) == [
                NewVideo(
                    videoPath: #"films/{1} ["2"].mp4"#, title: #"A \ } ] ü 🎬"#, description: "",
                    contentType: "video/mp4")
            ])
    }

    @Test func recordsMayStandOneAfterTheOther() throws {
        let text =
            #"{"videoPath":"1"}{"videoPath":"2"}"# + "\n\n"
            + #"[{"videoPath":"3"},{"videoPath":"4"}] {"videoPath":"5"}"#
        #expect(try records(text).map(\.videoPath) == ["1", "2", "3", "4", "5"])
    }

    @Test(arguments: ["", " \r\n\t", "[]", "[ ]\n[]", "\u{FEFF}"])
    func aFileWithoutRecordsHasNone(_ text: String) throws {
        #expect(try records(text).isEmpty)
    }

    @Test func whatElseMongoDBWritesIsPassedOver() throws {
        let text = #"""
            {"_id":{"$oid":"5d9e690ad76fe06a3d7ae416"},"videoPath":"a.mp4","createdAt":{"$date":"2019-10-09T23:11:06Z"},
             "size":{"$numberLong":"9223372036854775807"},"revision":{"$numberInt":"1"},"tags":["a",{"b":null}],
             "ratio":{"$numberDouble":"Infinity"},"raw":{"$binary":{"base64":"AA==","subType":"00"}},"title":null}
            """#
        #expect(try records(text).map(\.video) == [NewVideo(id: VideoID(Self.id), videoPath: "a.mp4")])
    }

    @Test func aNullIdCountsAsNone() throws {
        #expect(try records(#"{"_id":null,"videoPath":"a.mp4"}"#).map(\.id) == [nil])
    }

    @Test func tenThousandRecordsAreReadInBothForms() throws {
        let lines = (0..<10_000).map { number in
            let digits = String(number, radix: 16)
            let id = String(repeating: "0", count: 24 - digits.count) + digits
            return #"{"_id":{"$oid":"\#(id)"},"videoPath":"films/\#(number).mp4","title":"{[\"\#(number)"}"#
        }
        let start = ContinuousClock.now
        let sequence = try records(lines.joined(separator: "\n"))
        let array = try records("[" + lines.joined(separator: ",") + "]")
        #expect(sequence.count == 10_000)
        #expect(sequence == array)
        #expect(sequence[9_999].videoPath == "films/9999.mp4")
        #expect(start.duration(to: .now) < .seconds(20))
    }
}
