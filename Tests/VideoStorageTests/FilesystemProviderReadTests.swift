import Domain
import Testing

@testable import VideoStorage

@Suite struct FilesystemProviderReadTests {
    @Test func wholeFileIsReadByteForByte() async throws {
        let fixture = try StorageFixture()
        let bytes = pattern(300_001)
        try fixture.directory.write(bytes, to: "film.mp4")
        #expect(try await fixture.stat("film.mp4").size == 300_001)
        #expect(try await fixture.read("film.mp4", 0, 300_000) == bytes)
    }

    @Test(arguments: [(0, 0), (0, 99), (4_095, 4_097), (9_999, 9_999), (5_000, 9_999)])
    func rangeGetsExactlyItsBytes(first: Int, last: Int) async throws {
        let fixture = try StorageFixture()
        let bytes = pattern(10_000)
        try fixture.directory.write(bytes, to: "film.mp4")
        #expect(try await fixture.read("film.mp4", Int64(first), Int64(last)) == Array(bytes[first...last]))
    }

    @Test func rangePastTheEndGetsTheBytesUpToTheEnd() async throws {
        let fixture = try StorageFixture()
        let bytes = pattern(10_000)
        try fixture.directory.write(bytes, to: "film.mp4")
        #expect(try await fixture.read("film.mp4", 9_000, 20_000) == Array(bytes[9_000...]))
    }

    @Test func rangeThatBeginsPastTheEndIsAnInvalidArgument() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(10), to: "film.mp4")
        try fixture.directory.write([], to: "empty.mp4")
        #expect(await code { _ = try await fixture.read("film.mp4", 10, 10) } == .invalidArgument)
        #expect(await code { _ = try await fixture.read("empty.mp4", 0, 0) } == .invalidArgument)
    }

    @Test func rangeOverTheLimitIsAnInvalidArgumentAndTakesNoMemory() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(10), to: "film.mp4")
        #expect(await code { _ = try await fixture.read("film.mp4", 0, 1 << 40) } == .invalidArgument)
    }

    @Test(arguments: [
        "with space.mp4", "a+b.mp4", "100%.mp4", "50%25.mp4", "what?.mp4", "sharp#.mp4", "semi;colon&.mp4",
        "Ünïcödé.mp4",
        "映画/第一話.mp4", "🎬/🍿.mp4", "deep/er/and/deeper/film.mp4", "...", ".hidden", "-dash", "~", "star*.mp4", "'\".mp4",
    ])
    func namesOfAllKindsAreTakenAsTheyAre(name: String) async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(1_000), to: name)
        try fixture.directory.write(pattern(10), to: "other.mp4")
        #expect(try await fixture.read(name, 0, 999) == pattern(1_000))
    }

    @Test func nameOfOneKibibyteIsRead() async throws {
        let fixture = try StorageFixture()
        let part = String(repeating: "n", count: 255)
        let name = [part, part, part, part + "m"].joined(separator: "/").dropLast()
        #expect(name.utf8.count == 1_023)
        try fixture.directory.write(pattern(7), to: String(name))
        #expect(try await fixture.read(String(name), 0, 6) == pattern(7))
    }

    @Test func twoSpellingsOfOneNameAreTwoBlobs() async throws {
        let fixture = try StorageFixture()
        #expect(try StorageKey("caf\u{E9}.mp4") != StorageKey("cafe\u{301}.mp4"))
        #expect(try Set([StorageKey("caf\u{E9}"), StorageKey("cafe\u{301}"), StorageKey("caf\u{E9}")]).count == 2)
        try fixture.directory.write(pattern(3), to: "caf\u{E9}.mp4")
        try fixture.directory.write(pattern(5), to: "cafe\u{301}.mp4")
        #expect(try await fixture.stat("caf\u{E9}.mp4").size == 3)
        #expect(try await fixture.stat("cafe\u{301}.mp4").size == 5)
    }

    @Test func symbolicLinkInsideTheDirectoryIsFollowed() async throws {
        let fixture = try StorageFixture()
        try fixture.directory.write(pattern(9), to: "films/real.mp4")
        try fixture.directory.link("relative.mp4", to: "films/real.mp4")
        try fixture.directory.link("absolute.mp4", to: "\(fixture.directory.path)/films/real.mp4")
        try fixture.directory.link("folder", to: "films")
        for name in ["relative.mp4", "absolute.mp4", "folder/real.mp4"] {
            #expect(try await fixture.read(name, 0, 8) == pattern(9))
        }
    }

    @Test func rootMayItselfBeASymbolicLinkAndMayBePointedElsewhere() async throws {
        let places = try TemporaryDirectory()
        try places.write(pattern(3), to: "one/film.mp4")
        try places.write(pattern(5), to: "two/film.mp4")
        try places.link("current", to: "one")
        let fixture = try StorageFixture(root: "\(places.path)/current")
        #expect(try await fixture.stat("film.mp4").size == 3)
        try places.remove("current")
        try places.link("current", to: "two")
        #expect(try await fixture.read("film.mp4", 0, 4) == pattern(5))
    }

    @Test func manyReadsAtOnceAreAllRight() async throws {
        let fixture = try StorageFixture()
        let bytes = pattern(100_000)
        try fixture.directory.write(bytes, to: "film.mp4")
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<200 {
                let first = (number * 4_999) % 90_000
                group.addTask {
                    let read = try await fixture.read("film.mp4", Int64(first), Int64(first) + 9_999)
                    return read == Array(bytes[first..<(first + 10_000)])
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }
}
