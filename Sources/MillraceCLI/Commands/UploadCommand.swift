import ArgumentParser
import Crypto
import Domain
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization

/// Sends a file to the gateway, as a user would.
struct UploadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upload",
        abstract: "Uploads a video through the gateway.",
        discussion: """
            Makes a record and sends the file's bytes with their SHA-256. It is done when the gateway says that the
            video is whole and can be played. With --id, the bytes of a video that is there are replaced; a record of
            that id is made if there is none.

            GATEWAY_URL says where the gateway is, WRITE_TOKEN is the token that it was started with; in a checkout with
            a running stack both are taken from .millrace/stack.env.
            """)

    @Argument(help: "The file.", completion: .file())
    var file: String

    @Option(help: "The title. Default: the file's name.")
    var title: String?

    @Option(help: "The id of the video: 24 hexadecimal digits. Default: a new one.", transform: VideoIDArgument.read)
    var id: VideoID?

    @Option(help: "The media type, such as video/mp4. Default: what the file's extension says.")
    var contentType: String?

    @Option(
        help: ArgumentHelp(
            "When to give up a gateway that neither takes bytes nor answers.",
            discussion: "More than its UPLOAD_COMMIT_SECONDS, for so long it may say nothing after the last byte.",
            valueName: "seconds"))
    var silence = 300

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        guard (1...86_400).contains(silence) else {
            throw ValidationError("--silence is a number of seconds from 1 to 86400.")
        }
    }

    func run() async throws {
        let url = URL(fileURLWithPath: file)
        let client = try await gateway.client()
        let size = try Self.size(of: url)
        let digest = try await digest(of: url, size)
        let id = try await record(client, named: url.deletingPathExtension().lastPathComponent)
        do {
            try await send(url, size, digest, to: id, client)
        } catch {
            throw GatewayClient.Failure(
                description:
                    "\(error)\nTo send it again: millrace upload --id \(id) \(file.printable)")
        }
        print("\(id)  \(url.lastPathComponent.printable)")
    }

    private static func size(of file: URL) throws -> Int64 {
        let attributes = try? FileManager.default.attributesOfItem(atPath: file.resolvingSymlinksInPath().path)
        guard let attributes, attributes[.type] as? FileAttributeType == .typeRegular,
            let size = attributes[.size] as? NSNumber
        else { throw GatewayClient.Failure(description: "\(file.path.printable) is no file that can be read.") }
        return size.int64Value
    }

    private func digest(of file: URL, _ size: Int64) async throws -> String {
        var hash = SHA256()
        let bar = SharedBar("checksum", total: size)
        for try await piece in FileBytes(file: file, onProgress: bar.update) {
            piece.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        }
        bar.finish()
        return Data(hash.finalize()).base64EncodedString()
    }

    /// The record to upload to; a new one unless there is one of that id.
    private func record(_ client: GatewayClient, named name: String) async throws -> VideoID {
        if let id {
            let found = try await client.send(.GET, "/videos/\(id)")
            if found.status == 200 { return id }
            guard found.status == 404 else { throw GatewayClient.Failure(description: found.words) }
        }
        var fields = ["title": title ?? name]
        fields["contentType"] = contentType ?? MediaTypeByName.of(file)
        fields["id"] = id?.description
        let made = try await client.send(.POST, "/videos", json: fields)
        guard made.status == 201, let record = try? JSONDecoder().decode(Made.self, from: made.body) else {
            throw GatewayClient.Failure(description: made.words)
        }
        return record.id
    }

    private struct Made: Decodable {
        var id: VideoID
    }

    private func send(_ file: URL, _ size: Int64, _ digest: String, to id: VideoID, _ client: GatewayClient)
        async throws
    {
        let bar = SharedBar(file.lastPathComponent, total: size)
        defer { bar.finish() }
        var fields = [("Content-Digest", "sha-256=:\(digest):")]
        if let type = contentType ?? MediaTypeByName.of(self.file) { fields.append(("Content-Type", type)) }
        let answer = try await client.upload(
            "/videos/\(id)/content", FileBytes(file: file, onProgress: bar.update), length: size, fields: fields,
            silence: .seconds(silence))
        guard (200...299).contains(answer.status) else { throw GatewayClient.Failure(description: answer.words) }
    }
}

/// A bar that is drawn from whichever thread sends.
private final class SharedBar: Sendable {
    private let bar: Mutex<ProgressBar>

    init(_ label: String, total: Int64) {
        bar = Mutex(ProgressBar(label, total: total))
    }

    @Sendable func update(_ done: Int64) {
        bar.withLock { $0.update(done) }
    }

    func finish() {
        bar.withLock { $0.finish() }
    }
}
