import Domain
import Foundation
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

/// HTTPS, with curl as the client and a certificate that OpenSSL makes.
struct HTTP2Tests {
    private struct Failed: Error {
        var output: String
    }

    /// What curl has received.
    private struct Answer {
        var head: String
        var body: ByteBuffer
        var code: Int32
    }

    private static func run(_ command: [String]) throws -> (code: Int32, output: Data) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, output)
    }

    private static func folder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private static func makeIdentity(in folder: URL) throws -> ServerIdentity {
        let (key, certificate) = (folder.path + "/key.pem", folder.path + "/certificate.pem")
        let made = try run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2",
            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
        ])
        guard made.code == 0 else { throw Failed(output: String(decoding: made.output, as: UTF8.self)) }
        return try ServerIdentity(certificateFile: certificate, keyFile: key)
    }

    /// On a thread of its own, since it waits.
    private static func curl(_ port: Int, _ folder: URL, _ more: [String]) async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        let head = folder.appendingPathComponent(UUID().uuidString)
                        let result = try run(
                            [
                                "curl", "--silent", "--cacert", folder.path + "/certificate.pem", "--dump-header",
                                head.path, "--max-time", "20",
                            ] + more + ["https://127.0.0.1:\(port)\(GatewayFixture.target)"])
                        let text = (try? String(contentsOf: head, encoding: .utf8)) ?? ""
                        return Answer(head: text, body: ByteBuffer(bytes: result.output), code: result.code)
                    })
            }
        }
    }

    @Test(arguments: ["--http2", "--http1.1"])
    func theClientChoosesTheVersionAndGetsTheSameBytes(version: String) async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        var fixture = try GatewayFixture()
        fixture.configuration.identity = try Self.makeIdentity(in: folder)
        let video = fixture.putVideo(bytes: 3_000_003, chunkBytes: 65_536)
        try await fixture.serve { port in
            let whole = try await Self.curl(port, folder, [version])
            #expect(whole.head.hasPrefix(version == "--http2" ? "HTTP/2 200" : "HTTP/1.1 200"))
            #expect(whole.body == video)
            let part = try await Self.curl(port, folder, [version, "--range", "100000-199999"])
            #expect(part.head.contains(" 206"))
            #expect(part.body == video.getSlice(at: 100_000, length: 100_000))
            let parts = try await Self.curl(port, folder, [version, "--range", "0-9,100-109"])
            #expect(parts.head.contains("multipart/byteranges"))
            let head = try await Self.curl(port, folder, [version, "--head"])
            #expect(head.head.contains("content-length: 3000003") || head.head.contains("Content-Length: 3000003"))
            #expect(head.code == 0)
        }
    }

    @Test func aStreamThatCannotGoOnIsResetAndNotEnded() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        var fixture = try GatewayFixture()
        fixture.configuration.identity = try Self.makeIdentity(in: folder)
        fixture.configuration.readAheadChunks = 1
        let video = fixture.putVideo(bytes: 1_000_000, chunkBytes: 65_536)
        fixture.storage.onRead(InMemoryStorage.failure(.corrupt) { $0 == 5 })
        try await fixture.serve { port in
            let answer = try await Self.curl(port, folder, ["--http2"])
            #expect(answer.head.hasPrefix("HTTP/2 200"))
            // 92: a stream error; 18: a partial file; 56: the connection was closed.
            #expect([92, 18, 56].contains(answer.code), "curl ended with code \(answer.code)")
            #expect(answer.body.readableBytes < 1_000_000)
            #expect(answer.body == video.getSlice(at: 0, length: answer.body.readableBytes))
        }
    }

    /// curl keeps a reset back until it has something else to send, so the frames are written here, and OpenSSL carries them.
    @Test func aStreamThatItsClientResetsIsGivenUpAndTheOthersOfTheConnectionGoOn() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        var fixture = try GatewayFixture()
        fixture.configuration.identity = try Self.makeIdentity(in: folder)
        fixture.configuration.requestDeadlineSeconds = 20
        fixture.putVideo(bytes: 1_000_000, chunkBytes: 65_536)
        let storage = fixture.storage
        try await fixture.serve { port in
            _ = try await Self.curl(port, folder, ["--http2", "--range", "0-9"])
            storage.onRead(InMemoryStorage.delay(.seconds(15)))
            let client = Process()
            client.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            client.arguments = ["openssl", "s_client", "-quiet", "-alpn", "h2", "-connect", "127.0.0.1:\(port)"]
            let input = Pipe()
            (client.standardInput, client.standardOutput) = (input, FileHandle.nullDevice)
            client.standardError = FileHandle.nullDevice
            try client.run()
            defer { client.terminate() }
            let send = { (bytes: [UInt8]) in try input.fileHandleForWriting.write(contentsOf: Data(bytes)) }
            try send(HTTP2Frames.preface)
            try send(HTTP2Frames.get(GatewayFixture.target, range: "bytes=300000-400000", stream: 1))
            try send(HTTP2Frames.get(GatewayFixture.target, range: "bytes=700000-700099", stream: 3))
            try await Self.eventually { storage.counts.readsInFlight == 2 }
            try send(HTTP2Frames.reset(stream: 1))
            try await Self.eventually { storage.counts.cancelledReads == 1 && storage.counts.readsInFlight == 1 }
            #expect(client.isRunning)
        }
    }

    /// Waits for less time than a read takes.
    private static func eventually(_ holds: () -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(10)
        while !holds() {
            try #require(ContinuousClock.now < end)
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    @Test func filesThatDoNotBelongTogetherAreRefusedAtTheStart() throws {
        let (one, other) = (try Self.folder(), try Self.folder())
        defer { for folder in [one, other] { try? FileManager.default.removeItem(at: folder) } }
        _ = try Self.makeIdentity(in: one)
        _ = try Self.makeIdentity(in: other)
        #expect(throws: (any Error).self) {
            try ServerIdentity(certificateFile: one.path + "/certificate.pem", keyFile: other.path + "/key.pem")
        }
        #expect(throws: (any Error).self) {
            try ServerIdentity(certificateFile: "/nonexistent", keyFile: one.path + "/key.pem")
        }
        #expect(throws: (any Error).self) {
            try ServerIdentity(certificateFile: one.path + "/key.pem", keyFile: one.path + "/key.pem")
        }
    }
}
