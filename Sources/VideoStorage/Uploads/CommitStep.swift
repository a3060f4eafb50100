import Domain

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What is to be done next to commit an upload.
enum CommitStep: Sendable, Equatable {
    /// Fix the content: from `open` to `committing`.
    case fix(Upload.Content)
    /// Ask the catalogue what the object is now.
    case lookUp
    /// Have the provider put the blocks together.
    case assemble
    /// Name the blob as the object's version, in the place of that entry.
    case enter(CatalogueEntry, replacing: CatalogueEntry?)
    /// Note that it has become a version: from `committing` or `aborted` to `committed`.
    case close
    /// Note that another version was first: from `committing` to `lost`.
    case lose
    /// Answer with the version that it has become.
    case answer(Upload.Content)
    /// Answer with an error.
    case refuse(ServiceError)
}

/// How far a commit has come, as one worker knows it.
///
/// Pure. Each step may be done again, by any worker, after any other has begun it, done it or died of it: what has
/// happened is read from the catalogue, and the update that names the version happens once, whoever makes it.
struct CommitProgress: Sendable {
    /// What is committed.
    let finished: FinishedUpload
    /// Bytes in all.
    let size: Int64
    /// The upload as it was last read.
    var upload: Upload
    /// What the catalogue said of the object, once it was asked.
    var seen: Seen?
    /// The blob, once it was put together.
    var blob: BlobFacts?

    /// What the catalogue said.
    struct Seen: Sendable {
        /// The object's entry, if there is one.
        var entry: CatalogueEntry?
    }

    /// The next step.
    func next(now: Date) -> CommitStep {
        switch upload.state {
        case .open: return .fix(content(now: now))
        case .committed: return upload.content.map { answer($0) } ?? .refuse(Self.defect(upload.id))
        case .lost: return .refuse(Self.lost(upload.key))
        case .aborted:
            // Only who has named it before it was given up knows that it is a version after all.
            guard let seen, upload.isNamed(by: seen.entry) else { return .refuse(Self.over(upload.id)) }
            return .close
        case .committing: break
        }
        guard let content = upload.content else { return .refuse(Self.defect(upload.id)) }
        guard matches(content) else { return .refuse(Self.otherContent(upload.id)) }
        guard let seen else { return .lookUp }
        if upload.isNamed(by: seen.entry) { return .close }
        guard upload.expects(seen.entry) else { return .lose }
        guard let blob else { return .assemble }
        guard blob.size == size else {
            return .refuse(ServiceError(.corrupt, "The provider has \(blob.size) bytes of \(size); upload it again."))
        }
        return .enter(entry(of: blob, content), replacing: seen.entry)
    }

    private func answer(_ content: Upload.Content) -> CommitStep {
        matches(content) ? .answer(content) : .refuse(Self.otherContent(upload.id))
    }

    private func matches(_ content: Upload.Content) -> Bool {
        content.size == size && content.checksum == finished.checksum
    }

    /// Later than the version that is replaced, however the clocks of two workers differ.
    private func content(now: Date) -> Upload.Content {
        var moment = now.inWholeMilliseconds
        if let before = upload.expectation?.committedAt, moment <= before {
            moment = before.addingTimeInterval(0.001).inWholeMilliseconds
            if moment <= before { moment = before.addingTimeInterval(0.002).inWholeMilliseconds }
        }
        return Upload.Content(size: size, checksum: finished.checksum, committedAt: moment)
    }

    private func entry(of blob: BlobFacts, _ content: Upload.Content) -> CatalogueEntry {
        CatalogueEntry(
            key: upload.key, version: upload.version, provider: upload.provider, location: upload.location,
            size: content.size, contentType: upload.contentType, checksum: content.checksum, validator: blob.validator,
            committedAt: content.committedAt, state: .committed)
    }

    private static func lost(_ key: StorageKey) -> ServiceError {
        ServiceError(.conflict, "\"\(key)\" has got another version since this upload was begun; upload it again.")
    }

    static func over(_ id: UploadID) -> ServiceError {
        ServiceError(.notFound, "There is no upload \(id), or it is over; begin a new one.")
    }

    private static func otherContent(_ id: UploadID) -> ServiceError {
        ServiceError(.conflict, "The upload \(id) is being committed with another size or checksum.")
    }

    private static func defect(_ id: UploadID) -> ServiceError {
        ServiceError(.internal, "The upload \(id) has no content in the catalogue.")
    }
}
