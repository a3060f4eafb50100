import Domain

/// What there is, found by walking the directory. A page reads the names of every directory on its way.
extension FilesystemProvider {
    func list(after cursor: PageCursor?, limit: Int, deadline: Deadline) async throws(ServiceError) -> BlobPage {
        try ProviderLimits.check(pageSize: limit)
        return try await writing(nil, deadline: deadline) { mark in
            var walk = BlobWalk(after: cursor?.description, limit: limit, mark: mark)
            try walk.run(in: Folder(path: root.path))
            let entries = walk.files.map { BlobPage.Entry(location: $0.location, facts: BlobFacts(status: $0.status)) }
            return BlobPage(entries: entries, next: Self.next(after: walk))
        }
    }

    func uploads(
        after cursor: PageCursor?, limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> BegunUploadPage {
        try ProviderLimits.check(pageSize: limit)
        return try await writing(nil, deadline: deadline) { mark in
            let folder = try Folder(path: root.path)
            guard try folder.status(of: StorageRoot.uploadsFolder) != nil else {
                return BegunUploadPage(entries: [], next: nil)
            }
            var walk = BlobWalk(after: cursor?.description, limit: limit, mark: mark)
            try walk.run(in: Folder(StorageRoot.uploadsFolder, in: folder))
            let entries = walk.files.map { file in
                BegunUploadPage.Entry(
                    location: file.location, handle: .none, activeAt: BlobFacts(status: file.status).modifiedAt)
            }
            return BegunUploadPage(entries: entries, next: Self.next(after: walk))
        }
    }

    private static func next(after walk: BlobWalk) -> PageCursor? {
        guard walk.isCut else { return nil }
        return walk.files.last.map { PageCursor($0.location.description) }
    }
}
