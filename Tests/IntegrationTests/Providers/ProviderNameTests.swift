import Domain
import Foundation
import NIOCore
import TestKit
import Testing

@testable import VideoStorage

/// What every provider promises of names, listings and removal.
@Suite(.timeLimit(.minutes(5))) struct ProviderNameTests {
    private static let names = [
        "with space.mp4", " leading and trailing ", "a+b.mp4", "100%.mp4", "50%25.mp4", "50%.mp4", "what?.mp4",
        "sharp#.mp4", "semi;colon&amp=1.mp4", "<tag> & \"quotes\" 'single'.mp4", "Ünïcödé.mp4", "caf\u{E9}.mp4",
        "cafe\u{301}.mp4", "映画/第一話.mp4", "🎬/🍿.mp4", "deep/er/and/deeper/film.mp4", "...", "..a", ".hidden", "-dash",
        "~", "star*.mp4", "a:b@c!d$e,f(g)h[i]j{k}|l^m`n", "x-1", "x/1", "x.1", "UPPER", "upper", "dot.",
    ]

    @Test(arguments: ProviderUnderTest.allCases)
    func namesOfAllKindsAreTakenAsTheyAre(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let names = Self.names + [Self.longName]
            #expect(Self.longName.utf8.count == 1_024)
            let blobs = names.enumerated().map { (name: $1, blob: PatternBytes(seed: UInt64($0) << 32, count: 100)) }
            for (name, blob) in blobs { try await provider.put(blob, at: name) }
            for (name, blob) in blobs { #expect(try await provider.holds(blob, at: name), "\(name)") }
            let listed = try await provider.listing(pageSize: 7).map { Array($0.location.description.utf8) }
            #expect(listed == names.map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) })
            for name in names.dropLast(2) {
                try await provider.delete(name)
                #expect(await code { _ = try await provider.facts(name) } == .notFound, "\(name)")
            }
            #expect(try await provider.listing(pageSize: 100).count == 2)
        }
    }

    /// 1,024 bytes in parts that a file system takes.
    private static let longName: String = {
        let part = String(repeating: "n", count: 204)
        return [part, part, part, part, part].joined(separator: "/")
    }()

    @Test(arguments: ProviderUnderTest.allCases)
    func listingGivesEachBlobOnceOverManyPages(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            #expect(
                try await provider.list(after: nil, limit: 10, deadline: .patient) == BlobPage(entries: [], next: nil))
            let names = (0..<23).map { "uploads/\($0 * 7919 % 1_000)" } + ["uploads", "v/1", "v-1", "v.1"].dropFirst()
            for (number, name) in names.enumerated() {
                try await provider.put(PatternBytes(seed: 1, count: Int64(number)), at: name)
            }
            let expected = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            for pageSize in [1, 4, 26, 1_000] {
                let entries = try await provider.listing(pageSize: pageSize)
                #expect(entries.map(\.location.description) == expected)
                for entry in entries {
                    #expect(Int64(names.firstIndex(of: entry.location.description) ?? -1) == entry.facts.size)
                }
            }
            let entries = try await provider.listing(pageSize: 10)
            for entry in entries.prefix(3) {
                let facts = try await provider.stat(entry.location, deadline: .patient)
                #expect(entry.facts.validator == facts.validator)
                #expect(abs(entry.facts.modifiedAt.timeIntervalSince(facts.modifiedAt)) < 1.1)
            }
            for limit in [0, -1, 1_001] {
                #expect(
                    await code { _ = try await provider.list(after: nil, limit: limit, deadline: .patient) }
                        == .invalidArgument)
            }
        }
    }

    @Test(arguments: ProviderUnderTest.allCases)
    func removalMayBeRepeatedAndAtOnce(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            try await provider.put(PatternBytes(seed: 1, count: 5), at: "uploads/film")
            try await provider.put(PatternBytes(seed: 2, count: 5), at: "uploads/other")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<5 { group.addTask { try await provider.delete("uploads/film") } }
                try await group.waitForAll()
            }
            try await provider.delete("uploads/film")
            try await provider.delete("uploads/film/below")
            try await provider.delete("never/was")
            try await provider.delete("uploads")
            #expect(await code { _ = try await provider.facts("uploads/film") } == .notFound)
            #expect(try await provider.holds(PatternBytes(seed: 2, count: 5), at: "uploads/other"))
        }
    }
}
