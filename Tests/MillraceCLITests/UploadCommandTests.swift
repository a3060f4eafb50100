import ArgumentParser
import Domain
import Foundation
import NIOCore
import Testing

@testable import MillraceCLI

struct UploadCommandTests {
    private static let digits = "6a0c1e5f9b7d4e2a83f05c11"

    @Test func anUploadIsReadWithItsOptions() throws {
        let command = try #require(
            try Millrace.parseAsRoot([
                "upload", "film.mp4", "--title", "My film", "--id", Self.digits, "--content-type", "video/mp4",
                "--gateway", "http://host:4000",
            ]) as? UploadCommand)
        #expect(command.file == "film.mp4" && command.title == "My film")
        #expect(command.id == VideoID(Self.digits) && command.contentType == "video/mp4")
        #expect(command.gateway.gateway == "http://host:4000")
        #expect(command.silence == 300)
    }

    @Test func aDeletionTakesSeveralIds() throws {
        let command = try #require(
            try Millrace.parseAsRoot(["delete", Self.digits, Self.digits.uppercased()]) as? DeleteCommand)
        #expect(command.ids.map(\.description) == [Self.digits, Self.digits])
    }

    @Test(arguments: [
        ["upload"], ["upload", "a.mp4", "b.mp4"], ["upload", "a.mp4", "--id", "x"], ["delete"], ["delete", "x"],
        ["upload", "a.mp4", "--id", ""], ["upload", "a.mp4", "--token", "secret"],
        ["upload", "a.mp4", "--silence", "0"], ["upload", "a.mp4", "--silence", "86401"],
    ])
    func whatCannotBeUnderstoodIsRefused(_ words: [String]) {
        #expect {
            try Millrace.parseAsRoot(words)
        } throws: { error in
            Millrace.exitCode(for: error) == .validationFailure
        }
    }

    @Test(arguments: ["", "localhost:4000", "ftp://host", "http://", "/videos"])
    func anAddressThatIsNoneIsRefused(_ address: String) {
        let error = #expect(throws: GatewayClient.Failure.self) {
            try GatewayClient(address: address, token: "secret")
        }
        #expect(error?.description.contains("GATEWAY_URL") == true)
        #expect(error?.description.contains("secret") == false)
    }

    @Test func whatTheGatewaySaysIsShownWithoutWhatSteersATerminal() {
        let body = Data(#"{"detail":"It is\u001b[2J too long.","status":413}"#.utf8)
        #expect(GatewayClient.Answer(status: 413, body: body).words == "It is\u{FFFD}[2J too long.")
        #expect(GatewayClient.Answer(status: 502, body: Data("<html>".utf8)).words.contains("502"))
    }

    @Test(arguments: [0, 1, FileBytes.pieceBytes, FileBytes.pieceBytes * 2 + 1])
    func aFileIsReadByteForByte(count: Int) async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let bytes = Data((0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ ($0 >> 8)) })
        try bytes.write(to: file)
        var read = ByteBuffer()
        for try await piece in FileBytes(file: file) {
            #expect((1...FileBytes.pieceBytes).contains(piece.readableBytes))
            read.writeImmutableBuffer(piece)
        }
        #expect(Data(read.readableBytesView) == bytes)
    }

    @Test func aFileThatIsNotThereIsNamed() async {
        let file = URL(fileURLWithPath: "/nowhere/film.mp4")
        let error = await #expect(throws: FileBytes.ReadFailure.self) { for try await _ in FileBytes(file: file) {} }
        #expect(error?.description.contains("/nowhere/film.mp4") == true)
    }
}
