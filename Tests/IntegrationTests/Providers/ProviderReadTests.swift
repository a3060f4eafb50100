import Domain
import Foundation
import NIOCore
import TestKit
import Testing

@testable import VideoStorage

/// What every provider promises of reading.
@Suite(.timeLimit(.minutes(5))) struct ProviderReadTests {
    @Test(arguments: ProviderUnderTest.allCases)
    func rangesGetExactlyTheirBytes(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let block = Int64(provider.limits.blockBytes)
            let blob = PatternBytes(seed: 1, count: 2 * block + 12_345)
            let committed = try await provider.put(blob, at: "uploads/film")
            let facts = try await provider.facts("uploads/film")
            #expect(facts == committed)
            #expect(facts.size == blob.count)
            #expect(abs(facts.modifiedAt.timeIntervalSinceNow) < 120)
            let end = blob.count - 1
            let ranges: [(Int64, Int64)] = [
                (0, 0), (end, end), (0, 262_143), (262_144, 524_287), (block - 1, block), (block, 2 * block - 1),
                (block - 100_000, block + 100_000), (2 * block, end), (2 * block - 7, end),
                // Past the end.
                (end, end + 1), (end - 99, end + 262_144), (2 * block, end + 1_000_000),
            ]
            for (first, last) in ranges where last - first < 4_194_304 {
                let read = try await provider.bytes("uploads/film", first, last, of: facts)
                #expect(read == blob.buffer(from: first, count: last - first + 1), "\(first)-\(last)")
            }
            #expect(try await provider.holds(blob, at: "uploads/film"))
        }
    }

    @Test(arguments: ProviderUnderTest.allCases)
    func rangesThatNoBlobCanAnswerAreInvalid(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let blob = PatternBytes(seed: 1, count: 1_000)
            let facts = try await provider.put(blob, at: "film")
            for (first, last) in [(1_000, 1_000), (1_000, 5_000), (1 << 40, 1 << 40)] as [(Int64, Int64)] {
                #expect(await code { _ = try await provider.bytes("film", first, last, of: facts) } == .invalidArgument)
            }
            #expect(await code { _ = try await provider.bytes("film", 0, 4_194_304, of: facts) } == .invalidArgument)
        }
    }

    @Test(arguments: ProviderUnderTest.allCases)
    func emptyBlobHasFactsAndNoBytes(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            try await provider.put(PatternBytes(seed: 1, count: 0), at: "empty")
            let facts = try await provider.facts("empty")
            #expect(facts.size == 0)
            #expect(await code { _ = try await provider.bytes("empty", 0, 0, of: facts) } == .invalidArgument)
            #expect(try await provider.listing(pageSize: 10).map(\.facts.size) == [0])
            try await provider.delete("empty")
            #expect(await code { _ = try await provider.facts("empty") } == .notFound)
        }
    }

    @Test(arguments: ProviderUnderTest.allCases)
    func whatIsNotThereIsNotFoundAndNamed(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let facts = try await provider.put(PatternBytes(seed: 1, count: 10), at: "film")
            for name in ["nothing", "uploads/nothing", "film/below", "fil", "film2"] {
                #expect(await code { _ = try await provider.facts(name) } == .notFound, "\(name)")
                #expect(await code { _ = try await provider.bytes(name, 0, 1, of: facts) } == .notFound, "\(name)")
            }
            let error = await #expect(throws: ServiceError.self) { try await provider.facts("uploads/nothing") }
            #expect(error?.message.contains("uploads/nothing") == true)
        }
    }

    /// Blobs of one size take turns at a location while four readers, each with the validator it has seen, read it.
    @Test(arguments: ProviderUnderTest.allCases)
    func bytesBelongToTheStateThatTheValidatorNames(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let blobs = (1...2).map { PatternBytes(seed: UInt64($0) * 1_000_000, count: 300_001) }
            let first = try await provider.put(blobs[0], at: "film")
            try await provider.delete("film")
            let second = try await provider.put(blobs[1], at: "film")
            #expect(first.validator != second.validator)
            #expect(await code { _ = try await provider.bytes("film", 0, 99, of: first) } == .conflict)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask { try await Self.readsOfWholeStates(provider, blobs) }
                }
                for round in 0..<10 {
                    try await provider.delete("film")
                    try await provider.put(blobs[round % 2], at: "film")
                }
                // Time for a reader that has seen nothing but changes.
                try await Task.sleep(for: .milliseconds(500))
                group.cancelAll()
                for try await reads in group { #expect(reads > 0) }
            }
        }
    }

    /// Reads until it is cancelled, and checks that each answer is of the one blob whose first bytes it begins with.
    private static func readsOfWholeStates(_ provider: any StorageProvider, _ blobs: [PatternBytes]) async throws -> Int
    {
        var reads = 0
        while !Task.isCancelled {
            do {
                let facts = try await provider.facts("film")
                let head = try await provider.bytes("film", 0, 63, of: facts)
                let blob = try #require(blobs.first { $0.buffer(count: 64) == head })
                let rest = try await provider.bytes("film", 1_000, 300_000, of: facts)
                #expect(rest == blob.buffer(from: 1_000, count: 299_001))
                reads += 1
            } catch let error as ServiceError {
                let expected: [ServiceError.Code] = [.notFound, .conflict, .deadlineExceeded]
                #expect(expected.contains(error.code), "\(error)")
            }
        }
        return reads
    }

    @Test(arguments: ProviderUnderTest.allCases)
    func manyReadsAtOnceAreAllRight(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let blob = PatternBytes(seed: 7, count: 1_500_000)
            let facts = try await provider.put(blob, at: "film")
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<100 {
                    let first = Int64(number * 7_919 % 1_400_000)
                    group.addTask {
                        let read = try await provider.bytes("film", first, first + 65_535, of: facts)
                        return read == blob.buffer(from: first, count: 65_536)
                    }
                }
                for try await isRight in group { #expect(isRight) }
            }
        }
    }

    @Test(arguments: ProviderUnderTest.allCases)
    func callsThatNobodyWaitsForEnd(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let blob = PatternBytes(seed: 3, count: 900_000)
            let facts = try await provider.put(blob, at: "film")
            let late = Deadline.after(.zero)
            #expect(
                await code { _ = try await provider.bytes("film", 0, 9, of: facts, deadline: late) }
                    == .deadlineExceeded)
            #expect(await code { _ = try await provider.stat(StorageKey("film"), deadline: late) } == .deadlineExceeded)
            for delay in 0..<20 {
                let reader = Task { try await provider.bytes("film", 0, 899_999, of: facts) }
                try await Task.sleep(for: .microseconds(delay * 100))
                reader.cancel()
                switch await reader.result {
                case .success(let read): #expect(read == blob.buffer())
                case .failure(let error): #expect((error as? ServiceError)?.code == .deadlineExceeded, "\(error)")
                }
            }
            #expect(try await provider.holds(blob, at: "film"))
        }
    }
}
