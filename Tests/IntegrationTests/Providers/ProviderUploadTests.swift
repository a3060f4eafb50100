import Domain
import Foundation
import NIOCore
import TestKit
import Testing

@testable import VideoStorage

/// What every provider promises of writing.
@Suite(.timeLimit(.minutes(5))) struct ProviderUploadTests {
    @Test(arguments: ProviderUnderTest.allCases)
    func blocksMayComeInAnyOrderAtOnceAndAgain(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let blob = PatternBytes(seed: 11, count: 3 * Int64(provider.limits.blockBytes) + 1)
            let handle = try await provider.begin("film")
            let blocks = try await withThrowingTaskGroup(of: StagedBlock.self) { group in
                for index in [3, 1, 0, 2, 1, 3, 0] {
                    group.addTask { try await provider.stage(index, of: blob, handle, at: "film") }
                }
                var blocks: [Int: StagedBlock] = [:]
                for try await block in group {
                    // A repetition has the same receipt, so either may be named.
                    if let other = blocks[block.index] { #expect(other == block) }
                    blocks[block.index] = block
                }
                return blocks.values.sorted { $0.index < $1.index }
            }
            #expect(await code { _ = try await provider.facts("film") } == .notFound)
            #expect(try await provider.listing(pageSize: 10).isEmpty)
            try await provider.commit(handle, blocks, at: "film")
            #expect(try await provider.holds(blob, at: "film"))
        }
    }

    @Test(arguments: ProviderUnderTest.allCases)
    func commitWithoutABlockIsInvalidAndMayBeMadeGood(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let blob = PatternBytes(seed: 12, count: 2 * Int64(provider.limits.blockBytes))
            let handle = try await provider.begin("film")
            let first = try await provider.stage(0, of: blob, handle, at: "film")
            let never = StagedBlock(index: 1, size: provider.limits.blockBytes, receipt: first.receipt)
            #expect(await code { try await provider.commit(handle, [first, never], at: "film") } == .invalidArgument)
            #expect(await code { try await provider.commit(handle, [never], at: "film") } == .invalidArgument)
            #expect(await code { _ = try await provider.facts("film") } == .notFound)
            let second = try await provider.stage(1, of: blob, handle, at: "film")
            try await provider.commit(handle, [first, second], at: "film")
            #expect(try await provider.holds(blob, at: "film"))
        }
    }

    @Test(arguments: ProviderUnderTest.allCases)
    func blocksThatAreNotNamedAreDropped(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let block = Int64(provider.limits.blockBytes)
            let handle = try await provider.begin("film")
            let blocks = try await provider.stageAll(PatternBytes(seed: 13, count: 3 * block), handle, at: "film")
            try await provider.commit(handle, Array(blocks.prefix(2)), at: "film")
            #expect(try await provider.holds(PatternBytes(seed: 13, count: 2 * block), at: "film"))
        }
    }

    @Test(arguments: ProviderUnderTest.allCases)
    func repeatedCommitsGiveTheSameFacts(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let blob = PatternBytes(seed: 14, count: Int64(provider.limits.blockBytes) + 77)
            let handle = try await provider.begin("film")
            let blocks = try await provider.stageAll(blob, handle, at: "film")
            let facts = try await provider.commit(handle, blocks, at: "film")
            for _ in 0..<3 { #expect(try await provider.commit(handle, blocks, at: "film") == facts) }
            #expect(await code { try await provider.commit(handle, [blocks[0]], at: "film") } == .conflict)
            try await provider.abort(handle, at: "film")
            #expect(try await provider.facts("film") == facts)
            #expect(try await provider.holds(blob, at: "film"))
            let late = await code { _ = try await provider.stage(0, of: blob, handle, at: "film") }
            #expect(kind.answersToLateBlocks.contains(late))
            #expect(try await provider.holds(blob, at: "film"))
            #expect(try await provider.facts("film") == facts)
        }
    }

    @Test(arguments: ProviderUnderTest.allCases)
    func commitsAtOnceAllSucceed(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            for round in 0..<5 {
                let blob = PatternBytes(seed: UInt64(round), count: Int64(provider.limits.blockBytes) + 5)
                let name = "film-\(round)"
                let handle = try await provider.begin(name)
                let blocks = try await provider.stageAll(blob, handle, at: name)
                try await withThrowingTaskGroup(of: BlobFacts.self) { group in
                    for _ in 0..<4 { group.addTask { try await provider.commit(handle, blocks, at: name) } }
                    let facts = try await provider.facts(name, afterFirstOf: &group)
                    for try await other in group { #expect(other == facts) }
                }
                #expect(try await provider.holds(blob, at: name))
            }
        }
    }

    @Test(arguments: ProviderUnderTest.allCases)
    func abortForgetsTheBlocksAndMayBeRepeated(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let blob = PatternBytes(seed: 15, count: Int64(provider.limits.blockBytes) + 1)
            let handle = try await provider.begin("film")
            let blocks = try await provider.stageAll(blob, handle, at: "film")
            for _ in 0..<3 { try await provider.abort(handle, at: "film") }
            let refused: [ServiceError.Code?] = [.notFound, .invalidArgument]
            let answer = await code { try await provider.commit(handle, blocks, at: "film") }
            #expect(refused.contains(answer))
            let late = await code { _ = try await provider.stage(0, of: blob, handle, at: "film") }
            #expect(kind.answersToLateBlocks.contains(late))
            try await provider.abort(handle, at: "film")
            #expect(await code { _ = try await provider.facts("film") } == .notFound)
            #expect(try await provider.uploadLocations() == [])
            #expect(try await provider.listing(pageSize: 10).isEmpty)
            try await provider.abort(UploadHandle.none, at: "never-begun")
        }
    }

    @Test(arguments: ProviderUnderTest.allCases)
    func uploadsThatAreNotOverAreListed(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let blob = PatternBytes(seed: 16, count: 100)
            var handles: [String: UploadHandle] = [:]
            for number in 0..<7 {
                let name = "uploads/film \(number)"
                let handle = try await provider.begin(name)
                handles[name] = handle
                _ = try await provider.stage(0, of: blob, handle, at: name)
            }
            try await provider.put(blob, at: "uploads/whole")
            #expect(try await provider.uploadLocations(pageSize: 3).sorted() == handles.keys.sorted())
            let page = try await provider.uploads(after: nil, limit: 100, deadline: .patient)
            for entry in page.entries {
                #expect(entry.handle == handles[entry.location.description])
                #expect(!kind.tellsWhenUploadsBegan || abs(entry.activeAt.timeIntervalSinceNow) < 120)
                try await provider.abort(entry.handle, at: entry.location, deadline: .patient)
            }
            #expect(try await provider.uploadLocations().isEmpty)
            #expect(try await provider.holds(blob, at: "uploads/whole"))
        }
    }

    @Test(arguments: ProviderUnderTest.allCases)
    func blocksOutOfBoundsAreRefused(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let limits = provider.limits
            let handle = try await provider.begin("film")
            let location = try StorageKey("film")
            func stage(_ index: Int, _ count: Int) async -> ServiceError.Code? {
                let bytes = ByteBuffer(repeating: 1, count: count)
                return await code {
                    _ = try await provider.stage(handle, at: location, index: index, bytes: bytes, deadline: .patient)
                }
            }
            #expect(await stage(-1, 1) == .invalidArgument)
            #expect(await stage(0, 0) == .invalidArgument)
            #expect(await stage(0, limits.blockBytes + 1) == .invalidArgument)
            #expect(await stage(limits.maxBlocks, 1) == .tooLarge)
            #expect(await stage(limits.maxBlocks - 1, 1) == nil)
            let short = StagedBlock(index: 0, size: 1, receipt: "")
            let last = StagedBlock(index: 1, size: 1, receipt: "")
            #expect(await code { try await provider.commit(handle, [short, last], at: "film") } == .invalidArgument)
            #expect(await code { try await provider.commit(handle, [last], at: "film") } == .invalidArgument)
        }
    }

    @Test(arguments: ProviderUnderTest.allCases)
    func cancellationInTheMiddleLeavesNothingHalf(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let blob = PatternBytes(seed: 17, count: 2 * Int64(provider.limits.blockBytes))
            for round in 0..<10 {
                let name = "film-\(round)"
                let upload = Task { try await provider.put(blob, at: name) }
                try await Task.sleep(for: .milliseconds(round * 3))
                upload.cancel()
                switch await upload.result {
                case .success: #expect(try await provider.holds(blob, at: name))
                case .failure(let error):
                    #expect((error as? ServiceError)?.code == .deadlineExceeded, "\(error)")
                    // It may have been carried out all the same; if so, then wholly.
                    let isThere = await code { _ = try await provider.facts(name) } == nil
                    if isThere { #expect(try await provider.holds(blob, at: name)) }
                }
            }
            try await provider.put(blob, at: "after")
            #expect(try await provider.holds(blob, at: "after"))
        }
    }

    /// Longer than what fits 32 bits. Written four blocks at a time, read back in chunks of 4 MiB.
    @Test(.enabled(if: LongRuns.areWanted), .timeLimit(.minutes(20)), arguments: ProviderUnderTest.allCases)
    func blobOfFiveGibibytesComesBackByteForByte(_ kind: ProviderUnderTest) async throws {
        try await kind.withProvider { provider in
            let blob = PatternBytes(seed: 18, count: 5 << 30)
            let handle = try await provider.begin("large")
            let count = provider.blockCount(of: blob)
            let blocks = try await withThrowingTaskGroup(of: StagedBlock.self) { group in
                var blocks: [StagedBlock] = []
                for index in 0..<count {
                    if index >= 4, let block = try await group.next() { blocks.append(block) }
                    group.addTask { try await provider.stage(index, of: blob, handle, at: "large") }
                }
                for try await block in group { blocks.append(block) }
                return blocks.sorted { $0.index < $1.index }
            }
            let facts = try await provider.commit(
                handle, at: StorageKey("large"), blocks: blocks, contentType: nil, deadline: .after(.seconds(300)))
            #expect(facts.size == 5 << 30)
            #expect(try await provider.holds(blob, at: "large", stepBytes: 4_194_304))
            try await provider.delete("large")
        }
    }
}

extension StorageProvider {
    /// The facts, once the first of several commits has succeeded: from then on they are there for everyone.
    fileprivate func facts(
        _ name: String, afterFirstOf group: inout ThrowingTaskGroup<BlobFacts, any Error>
    ) async throws -> BlobFacts {
        let committed = try await group.next()
        let facts = try await facts(name)
        #expect(committed == facts)
        return facts
    }
}
