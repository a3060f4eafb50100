import Domain
import Foundation
import NIOCore
import Synchronization
import Testing

@testable import VideoStorage

@Suite(.timeLimit(.minutes(1))) struct OpenUploadsTests {
    private static let asked = ContinuousClock.now

    private func upload() throws -> Upload {
        let id = UploadID.random()
        return Upload(
            id: id, key: try StorageKey("videos/1"), purpose: .content, expectation: nil, provider: WorkerFixture.new,
            location: try Upload.location(of: id, for: .content), handle: .none, contentType: nil, announcedSize: nil,
            state: .open, createdAt: Date(timeIntervalSince1970: 0), touchedAt: Date(timeIntervalSince1970: 0))
    }

    @Test func anAnswerIsGoodForASecondFromTheQuestionOn() throws {
        let open = OpenUploads()
        let upload = try upload()
        #expect(open.upload(upload.id, at: Self.asked) == nil)
        open.remember(upload, asked: Self.asked)
        #expect(open.upload(upload.id, at: Self.asked + .milliseconds(999)) == upload)
        #expect(open.upload(upload.id, at: Self.asked + .seconds(1)) == nil)
    }

    @Test func whatIsForgottenIsAskedForAnew() throws {
        let open = OpenUploads()
        let (one, other) = (try upload(), try upload())
        open.remember(one, asked: Self.asked)
        open.remember(other, asked: Self.asked)
        open.forget(one.id)
        #expect(open.upload(one.id, at: Self.asked) == nil && open.upload(other.id, at: Self.asked) == other)
    }

    @Test func theOneNotUsedForLongestMakesRoom() throws {
        let open = OpenUploads(maxCount: 2)
        let uploads = [try upload(), try upload(), try upload()]
        open.remember(uploads[0], asked: Self.asked)
        open.remember(uploads[1], asked: Self.asked)
        _ = open.upload(uploads[0].id, at: Self.asked)
        open.remember(uploads[2], asked: Self.asked)
        #expect(uploads.map { open.upload($0.id, at: Self.asked) != nil } == [true, false, true])
    }

    @Test func theDatabaseIsNotAskedForEachBlock() async throws {
        let worker = try WorkerFixture()
        let bytes = pattern(12 * 1_048_576)
        let finished = try await worker.begin("videos/1", bytes)
        // One question a second.
        #expect(worker.register.questions < finished.blocks.count / 2)
        #expect(try await worker.bytes(worker.uploads.commit(finished, deadline: .soon)) == bytes)
    }

    @Test func aBlockOfAnUploadThatAnotherWorkerHasEndedIsRefusedByTheProvider() async throws {
        let worker = try WorkerFixture()
        let another = worker.uploadsElsewhere()
        let aborted = try await worker.begin("videos/1", pattern(1_000))
        try await another.abort(aborted.id, deadline: .soon)
        let committed = try await worker.begin("videos/2", pattern(1_000))
        let facts = try await another.commit(committed, deadline: .soon)
        for id in [aborted.id, committed.id] {
            let block = UploadBlock(upload: id, index: 0, bytes: ByteBuffer(repeating: 9, count: 1_000))
            #expect(await code { _ = try await worker.uploads.stage(block, deadline: .soon) } == .notFound)
            let questions = worker.register.questions
            // Contradicted once, it asks.
            #expect(await code { _ = try await worker.uploads.stage(block, deadline: .soon) } == .notFound)
            #expect(worker.register.questions == questions + 1)
        }
        #expect(try await worker.bytes(facts) == pattern(1_000))
        #expect(worker.old.files.count == 1)
    }

    @Test func anUploadThatIsFilledForLongIsTouchedNowAndThen() async throws {
        let worker = try WorkerFixture()
        let clock = Mutex(Date())
        let uploads = worker.uploadsElsewhere(now: { clock.withLock { $0 } })
        let new = NewUpload(id: .random(), key: try StorageKey("videos/1"), contentType: nil, size: nil)
        _ = try await uploads.begin(new, deadline: .soon)
        var touched: Set<Date> = []
        for _ in 0..<10 {
            let block = UploadBlock(upload: new.id, index: 0, bytes: ByteBuffer(string: "x"))
            _ = try await uploads.stage(block, deadline: .soon)
            touched.formUnion(worker.register.all.map(\.touchedAt))
            clock.withLock { $0 += 20 }
        }
        // Begun, and touched when more than a minute had passed since: at 80 and 160 seconds.
        #expect(touched.count == 3)
    }
}
