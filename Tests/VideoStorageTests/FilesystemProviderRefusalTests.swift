import Domain
import Foundation
import Testing

@testable import VideoStorage

/// Gives the calling thread another user's rights in the file system; Swift's Glibc module leaves it out.
@_silgen_name("setfsuid")
private func setfsuid(_ user: UInt32) -> Int32

@Suite(.timeLimit(.minutes(1))) struct FilesystemProviderRefusalTests {
    @Test(arguments: [
        "../secret", "a/../../secret", "/etc/passwd", "a/\0b", "\0", "", ".", "a//b", "a/", "./a", "a\\..\\b",
        "line\nfeed",
    ])
    func pathsThatLeadOutByTheirTextNeverBecomeKeys(text: String) {
        #expect(throws: ServiceError.self) { try StorageKey(text) }
    }

    @Test func symbolicLinkOutOfTheDirectoryIsRefusedCountedAndLogged() async throws {
        let fixture = try StorageFixture()
        let outside = try TemporaryDirectory()
        try outside.write(pattern(100), to: "secret")
        try fixture.directory.link("file", to: "\(outside.path)/secret")
        try fixture.directory.link("folder", to: outside.path)
        try fixture.directory.link("climbing", to: "../\((outside.path as NSString).lastPathComponent)/secret")
        for name in ["file", "folder/secret", "climbing"] {
            #expect(await code { _ = try await fixture.stat(name) } == .invalidArgument)
            #expect(await code { _ = try await fixture.read(name, 0, 99) } == .invalidArgument)
        }
        #expect(fixture.counters["millrace_storage_refusals_total"] == 6)
        #expect(fixture.log.lines.count { $0.hasPrefix("warning: refused") && $0.contains("key=file") } == 2)
    }

    @Test func directoryWhoseNameBeginsLikeTheRootIsOutside() async throws {
        let places = try TemporaryDirectory()
        try places.makeDirectory("films")
        try places.write(pattern(10), to: "films-private/secret")
        try places.link("films/link", to: "../films-private/secret")
        let fixture = try StorageFixture(root: "\(places.path)/films")
        #expect(await code { _ = try await fixture.stat("link") } == .invalidArgument)
    }

    @Test func linkExchangedAfterTheFactsWereGivenReadsNothingOutside() async throws {
        let fixture = try StorageFixture()
        let outside = try TemporaryDirectory()
        try outside.write(pattern(10, seed: 9), to: "secret")
        try fixture.directory.write(pattern(10), to: "film.mp4")
        let facts = try await fixture.stat("film.mp4")
        try fixture.directory.remove("film.mp4")
        try fixture.directory.link("film.mp4", to: "\(outside.path)/secret")
        let range = try #require(ByteRange(first: 0, last: 9))
        let result = await code {
            _ = try await fixture.provider.read(
                StorageKey("film.mp4"), range: range, validator: facts.validator, deadline: .soon)
        }
        #expect(result == .invalidArgument)
    }

    @Test func charactersThatForgeLogLinesAreEscaped() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.link("x\u{2028}\u{202E}y\u{85}", to: "/etc/hostname")
        #expect(await code { _ = try await fixture.stat("x\u{2028}\u{202E}y\u{85}") } == .invalidArgument)
        #expect(fixture.log.lines.contains { $0.hasSuffix("key=x\\u{2028}\\u{202E}y\\u{85}") })
    }

    @Test func directoryIsNoObject() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.makeDirectory("folder")
        #expect(await code { _ = try await fixture.stat("folder") } == .notFound)
    }

    @Test func pipeAndSocketAreNoObjectsAndDoNotHang() async throws {
        let fixture = try StorageFixture(threads: 1)
        #expect(mkfifo("\(fixture.directory.path)/pipe", 0o600) == 0)
        #expect(await code { _ = try await fixture.stat("pipe") } == .notFound)
        #expect(mknod("\(fixture.directory.path)/socket", S_IFSOCK | 0o600, 0) == 0)
        #expect(await code { _ = try await fixture.stat("socket") } == .notFound)
    }

    @Test(arguments: ["nothing.mp4", "no/folder/film.mp4", "film.mp4/below", String(repeating: "n", count: 300)])
    func missingBlobIsNotFoundAndNamed(name: String) async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(1), to: "film.mp4")
        let error = await #expect(throws: ServiceError.self) { _ = try await fixture.stat(name) }
        #expect(error?.code == .notFound)
        #expect(error?.message.contains("\"\(name)\"") == true)
    }

    @Test func linksInCirclesAreRefused() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.link("a", to: "b")
        try fixture.directory.link("b", to: "a")
        #expect(await code { _ = try await fixture.stat("a") } == .invalidArgument)
    }

    @Test func missingPermissionIsInternalWithTheRemedyAndALogLine() async throws {
        let directory = try TemporaryDirectory()
        try directory.write(pattern(1), to: "film.mp4")
        #expect(chmod("\(directory.path)/film.mp4", 0) == 0)
        let threads = BlockingThreads(count: 1)
        // Root may read everything: its one thread takes on another user's rights for the file system.
        _ = try await threads.run(deadline: .soon) { _ in setfsuid(65_534) }
        let log = CollectingLog()
        let provider = try FilesystemProvider(
            root: directory.path, threads: threads, metrics: StorageMetrics(factory: CountingMetrics()),
            logger: log.logger)
        let error = await #expect(throws: ServiceError.self) {
            _ = try await provider.stat(StorageKey("film.mp4"), deadline: .soon)
        }
        #expect(error?.code == .internal)
        #expect(error?.message.contains("permission") == true)
        #expect(log.lines.contains { $0.hasPrefix("error:") && $0.contains("key=film.mp4") })
        await threads.shutdown()
    }

    @Test func rootThatIsNoDirectoryIsRefusedAtTheStart() throws {
        let directory = try TemporaryDirectory()
        try directory.write([1], to: "file")
        #expect(throws: ServiceError.self) { try StorageFixture(root: "\(directory.path)/nothing") }
        #expect(throws: ServiceError.self) { try StorageFixture(root: "\(directory.path)/file") }
    }

    @Test func rootThatVanishesIsUnavailableAndNotNotFound() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(1), to: "film.mp4")
        try FileManager.default.removeItem(atPath: fixture.directory.path)
        #expect(await code { _ = try await fixture.stat("film.mp4") } == .unavailable)
    }
}
