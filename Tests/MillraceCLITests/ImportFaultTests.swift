import Foundation
import Testing

@testable import MillraceCLI

/// Files that cannot be imported: each is told which record is wrong, and how.
struct ImportFaultTests {
    private func fault(_ text: Data) -> String? {
        do throws(ImportFault) {
            _ = try ImportRecord.records(in: text)
            return nil
        } catch {
            return error.description
        }
    }

    private func fault(_ text: String) -> String? {
        fault(Data(text.utf8))
    }

    @Test(arguments: [
        (#"{"title":"A"}"#, "record 1 has no videoPath"),
        (#"{"videoPath":null}"#, "record 1 has no videoPath"),
        (#"[{"videoPath":"a"},{"title":"A"}]"#, "record 2 has no videoPath"),
        (#"{"videoPath":"a"}{"title":"A"}"#, "record 2 has no videoPath"),
        (#"{"videoPath":7}"#, "record 1: videoPath: "),
        (#"{"videoPath":"a"} {"videoPath":"b","title":["A"]}"#, "record 2: title: "),
        (#"[{"videoPath":"a"},{"videoPath":"b"},{"videoPath":"c","title":7}]"#, "record 3: title: "),
        (#"{"videoPath":"a"}[{"videoPath":"b"},{"videoPath":7}]"#, "record 3: videoPath: "),
        (#"[{"_id":{"$oid":7},"videoPath":"a"}]"#, "record 1: _id.$oid: "),
        (#"{"_id":7,"videoPath":"a"}"#, "record 1: _id: "),
        (#"{"_id":{"$uuid":"x"},"videoPath":"a"}"#, "record 1: _id: "),
        (#"{"_id":{},"videoPath":"a"}"#, "record 1: _id: "),
        (#"{"_id":{"$oid":null},"videoPath":"a"}"#, "record 1: _id.$oid"),
        (#"[{"videoPath":"a"},7]"#, "record 2: "),
        (#"[[{"videoPath":"a"}]]"#, "record 1: "),
    ])
    func aWrongMemberIsToldWithItsRecord(_ text: String, _ words: String) throws {
        let message = try #require(fault(text))
        #expect(message.hasPrefix(words), "\(message)")
    }

    @Test(arguments: ["5d9e", "", "5d9e690ad76fe06a3d7ae41g", "5d9e690ad76fe06a3d7ae4160", " 5d9e690ad76fe06a3d7ae416"])
    func anIdThatIsNoneIsRefused(_ id: String) throws {
        for member in [#""\#(id)""#, #"{"$oid":"\#(id)"}"#] {
            let message = try #require(fault(#"{"_id":\#(member),"videoPath":"a"}"#))
            #expect(message == "record 1: _id is not an ObjectId of 24 hexadecimal digits: \(id)")
        }
    }

    @Test func aFaultIsShortAndCannotSteerATerminal() throws {
        let long = String(repeating: "x", count: 100_000)
        #expect(try #require(fault(#"{"_id":"\#(long)","videoPath":"a"}"#)).utf8.count < 500)
        let marks = "x" + String(repeating: "\u{301}", count: 100_000)
        #expect(try #require(fault(#"{"_id":"\#(marks)","videoPath":"a"}"#)).utf8.count < 500)
        let steering = try #require(fault(#"{"_id":"\u001b[2J\u009b2J","videoPath":"a"}"#))
        #expect(!steering.unicodeScalars.contains { $0.value == 0x1B || $0.value == 0x9B })
    }

    @Test(arguments: [
        "{", "[", #"{"videoPath":"a""#, #"{"videoPath":"a"#, #"[{"videoPath":"a"}"#, #"{"videoPath":"a\"}"#,
        #"[{"videoPath":"a"},"#,
    ])
    func aFileThatIsCutShortIsTold(_ text: String) {
        #expect(fault(text) == "the last record does not end")
    }

    @Test(arguments: [
        ("}", 0), ("]", 0), (#"{"videoPath":"a"}]"#, 17), ("null", 0), ("7", 0),
        (#"{"videoPath":"a"},{"videoPath":"b"}"#, 17),
        (#""videoPath""#, 0), (#"{"videoPath":"a"} "b""#, 18), ("\u{FEFF}\u{FEFF}{}", 3), (" \u{FEFF}{}", 1),
    ])
    func whatStandsOutsideOfRecordsIsToldWithItsPlace(_ text: String, _ byte: Int) throws {
        let message = try #require(fault(text))
        #expect(message.hasSuffix("(byte \(byte))"), "\(message)")
    }

    @Test(arguments: [
        "{]", "[}", "{}}{", "[{]}", #"{"videoPath"}"#, #"{"videoPath":a}"#, #"{"videoPath":"a",,}"#,
        "{'videoPath':'a'}",
        #"{"videoPath":"\ud800"}"#, "{\"videoPath\":\"a\nb\"}", #"{"videoPath":"a\x"}"#, "[1,]", "{\"a\":\u{0}}",
    ])
    func whatIsNoJSONIsTold(_ text: String) {
        #expect(fault(text) != nil)
    }

    @Test func bytesThatAreNoTextAreTold() {
        #expect(fault(Data([0xFF, 0xFE, 0x7B, 0x00])) != nil)
        #expect(fault(Data(#"{"videoPath":""#.utf8) + [0xC3, 0x28] + Data(#""}"#.utf8)) != nil)
    }

    @Test func deepNestingIsRefusedAndDoesNotEndTheProcess() {
        for bracket in ["[", "{\"a\":"] {
            let close = bracket == "[" ? "]" : "}"
            let deep = String(repeating: bracket, count: 100_000) + "1" + String(repeating: close, count: 100_000)
            #expect(fault(deep) != nil)
        }
    }

    @Test func aSliceOfAFileIsReadByItsOwnIndexes() throws {
        let file = Data(#"xxxx{"videoPath":"a"}"#.utf8)
        #expect(try ImportRecord.records(in: file.dropFirst(4)).map(\.videoPath) == ["a"])
    }
}
