import Domain
import FoundationEssentials
import Testing

@testable import VideoStorage

/// The steps of a commit, without anything that carries them out.
@Suite struct CommitProgressTests {
    private let now = Date(timeIntervalSince1970: 1_700_000_000)
    private let checksum = "sha256:" + String(repeating: "a", count: 64)
    private let id = UploadID.random()

    private func upload(
        _ state: Upload.State, expecting: String? = nil, committedAt: Date? = nil, content: Bool = true
    ) throws -> Upload {
        let expectation = try expecting.map {
            Upload.Expectation(
                version: try #require(ObjectVersion($0)), committedAt: committedAt ?? Date(timeIntervalSince1970: 0))
        }
        return Upload(
            id: id, key: try StorageKey("videos/1"), purpose: .content, expectation: expectation,
            provider: .filesystem, location: try Upload.location(of: id, for: .content), handle: .none,
            contentType: "video/mp4", state: state,
            content: content && state != .open ? .init(size: 5, checksum: checksum, committedAt: now) : nil,
            createdAt: now, touchedAt: now)
    }

    private func progress(_ upload: Upload, size: Int64 = 5) -> CommitProgress {
        CommitProgress(
            finished: FinishedUpload(
                id: upload.id, blocks: [StagedBlock(index: 0, size: Int(size), receipt: "")], checksum: checksum),
            size: size, upload: upload)
    }

    private func entry(_ version: String, state: CatalogueEntry.State = .committed) throws -> CatalogueEntry {
        CatalogueEntry(
            key: try StorageKey("videos/1"), version: try #require(ObjectVersion(version)), provider: .filesystem,
            location: try StorageKey("uploads/x"), size: 1, contentType: nil, checksum: nil,
            validator: BlobValidator(1, 2, 3), committedAt: now, state: state)
    }

    private var blob: BlobFacts { BlobFacts(size: 5, validator: BlobValidator(7, 8, 9), modifiedAt: now) }

    private func code(_ step: CommitStep) -> ServiceError.Code? {
        if case .refuse(let error) = step { error.code } else { nil }
    }

    @Test func aCommitGoesThroughItsStepsInOrder() throws {
        var progress = progress(try upload(.open))
        guard case .fix(let content) = progress.next(now: now) else { return #expect(Bool(false), "not fixed") }
        #expect(content == .init(size: 5, checksum: checksum, committedAt: now))
        progress.upload = try upload(.committing)
        #expect(progress.next(now: now) == .lookUp)
        progress.seen = .init(entry: nil)
        #expect(progress.next(now: now) == .assemble)
        progress.blob = blob
        guard case .enter(let entered, replacing: nil) = progress.next(now: now) else {
            return #expect(Bool(false), "not entered")
        }
        #expect(entered.version.description == id.description && entered.checksum == checksum)
        #expect(entered.validator == blob.validator && entered.contentType == "video/mp4")
        progress.seen = .init(entry: entered)
        #expect(progress.next(now: now) == .close)
        progress.upload = try upload(.committed)
        #expect(progress.next(now: now) == .answer(.init(size: 5, checksum: checksum, committedAt: now)))
    }

    @Test func anotherVersionThatWasFirstWins() throws {
        var progress = progress(try upload(.committing, expecting: "old"))
        progress.seen = .init(entry: try entry("other"))
        #expect(progress.next(now: now) == .lose)
        progress.seen = .init(entry: nil)
        #expect(progress.next(now: now) == .lose)
        progress.upload = try upload(.lost)
        #expect(code(progress.next(now: now)) == .conflict)
    }

    @Test func anObjectThatCameMeanwhileWins() throws {
        var progress = progress(try upload(.committing))
        progress.seen = .init(entry: try entry("adopted"))
        #expect(progress.next(now: now) == .lose)
    }

    @Test func whatIsLeftOfADeletedObjectIsReplaced() throws {
        var progress = progress(try upload(.committing))
        let deleted = try entry("old", state: .deleted)
        progress.seen = .init(entry: deleted)
        progress.blob = blob
        guard case .enter(_, replacing: deleted) = progress.next(now: now) else {
            return #expect(Bool(false), "not entered")
        }
    }

    @Test func anObjectThatWasDeletedMeanwhileIsLost() throws {
        var progress = progress(try upload(.committing, expecting: "old"))
        progress.seen = .init(entry: try entry("old", state: .deleted))
        #expect(progress.next(now: now) == .lose)
    }

    @Test func aVersionThatHasBeenReplacedSinceIsStillAVersion() throws {
        var progress = progress(try upload(.committing))
        var newer = try entry("newer")
        var own = try entry("x")
        own.version = try upload(.open).version
        newer.retired = [RetiredBlob(own, since: now)]
        progress.seen = .init(entry: newer)
        #expect(progress.next(now: now) == .close)
    }

    @Test func anUploadThatWasGivenUpAfterItWasNamedIsAVersion() throws {
        var progress = progress(try upload(.aborted))
        #expect(code(progress.next(now: now)) == .notFound)
        var own = try entry("x")
        own.version = try upload(.open).version
        progress.seen = .init(entry: own)
        #expect(progress.next(now: now) == .close)
    }

    @Test func aRepetitionWithOtherContentIsRefused() throws {
        for state in [Upload.State.committing, .committed] {
            #expect(code(progress(try upload(state), size: 6).next(now: now)) == .conflict)
        }
    }

    @Test func aBlobOfAnotherSizeIsNeverNamed() throws {
        var progress = progress(try upload(.committing))
        progress.seen = .init(entry: nil)
        progress.blob = BlobFacts(size: 4, validator: BlobValidator(1, 1, 1), modifiedAt: now)
        #expect(code(progress.next(now: now)) == .corrupt)
    }

    @Test(arguments: [-5.0, 0, 0.000_4, 1])
    func aVersionIsYoungerThanTheOneItReplacesWhateverTheClockSays(seconds: Double) throws {
        let before = now.inWholeMilliseconds
        let progress = progress(try upload(.open, expecting: "old", committedAt: before))
        guard case .fix(let content) = progress.next(now: now.addingTimeInterval(seconds)) else {
            return #expect(Bool(false), "not fixed")
        }
        #expect(content.committedAt > before)
        #expect(content.committedAt == content.committedAt.inWholeMilliseconds)
    }

    @Test(arguments: [
        ("uploads/0123456789abcdef0123456789abcdef", true), ("moved/0123456789abcdef0123456789abcdef", true),
        ("uploads/film.mp4", false), ("film.mp4", false), ("moved/0123456789abcdef0123456789abcdef/x", false),
        ("x/uploads/0123456789abcdef0123456789abcdef", false), ("uploads/0123456789ABCDEF0123456789ABCDEF", false),
    ])
    func onlyWhatThisServiceWritesIsItsOwn(text: String, isOwn: Bool) throws {
        #expect(Upload.isOwn(try StorageKey(text)) == isOwn)
    }
}
