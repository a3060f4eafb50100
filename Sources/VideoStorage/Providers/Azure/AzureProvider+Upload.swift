import Domain
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Uploads: blocks under the name of the blob, which Put Block List makes the blob. Azure has no upload to begin; it forgets
/// blocks of which no blob was made after a week.
///
/// A block's id is made of its index, its size and its MD5, and is the receipt: a list of ids says exactly which bytes.
extension AzureProvider {
    func begin(
        _ location: StorageKey,
        contentType: String?,
        deadline: Deadline
    ) async throws(ServiceError) -> UploadHandle {
        guard try await present(location, deadline: deadline) == nil else {
            throw ServiceError(.conflict, "There is an object at \"\(location)\" already.")
        }
        return .none
    }

    func stage(
        _ handle: UploadHandle,
        at location: StorageKey,
        index: Int,
        bytes: ByteBuffer,
        deadline: Deadline
    ) async throws(ServiceError) -> String {
        try limits.check(index: index, byteCount: bytes.readableBytes)
        let md5 = Self.md5(of: bytes)
        let id = AzureBlockID(index: index, size: bytes.readableBytes, md5: md5).description
        let reply = try await container.send(
            .PUT, location, query: [HTTPQueryItem("comp", "block"), HTTPQueryItem("blockid", id)],
            headers: ["Content-MD5": Data(md5).base64EncodedString()], body: bytes, deadline: deadline)
        guard reply.status == 201 else { throw container.failure(reply, location) }
        return id
    }

    func commit(
        _ handle: UploadHandle,
        at location: StorageKey,
        blocks: [StagedBlock],
        contentType: String?,
        deadline: Deadline
    ) async throws(ServiceError) -> BlobFacts {
        let total = try limits.totalBytes(of: blocks)
        for block in blocks where AzureBlockID.describes(block) == false {
            throw ServiceError(.invalidArgument, "Block \(block.index) was not staged as it is named; stage it again.")
        }
        if let facts = try await present(location, deadline: deadline) {
            return try Self.check(facts, totalBytes: total, location)
        }
        let list = blocks.map { "<Uncommitted>\($0.receipt)</Uncommitted>" }.joined()
        var headers: HTTPHeaders = ["If-None-Match": "*", "Content-Type": "application/xml"]
        if let contentType { headers.add(name: "x-ms-blob-content-type", value: contentType) }
        let reply = try await container.send(
            .PUT, location, query: [HTTPQueryItem("comp", "blocklist")], headers: headers,
            body: ByteBuffer(string: "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>\(list)</BlockList>"),
            deadline: deadline)
        // Whatever it says, another call may have made the blob of the same blocks.
        guard let facts = try await present(location, deadline: deadline) else {
            throw reply.isSuccess ? Self.unreadable(location) : container.failure(reply, location)
        }
        return try Self.check(facts, totalBytes: total, location)
    }

    /// Azure has no call for this: an empty blob takes the place of the blocks, unless a blob is there, and is removed.
    func abort(_ handle: UploadHandle, at location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        guard try await hasBlocks(location, deadline: deadline) else { return }
        let put = try await container.send(
            .PUT, location, headers: ["x-ms-blob-type": "BlockBlob", "If-None-Match": "*"], deadline: deadline)
        if put.status == 409 || put.status == 412 { return }
        guard put.isSuccess, let tag = put.headers.first(name: "ETag") else {
            throw container.failure(put, location)
        }
        let removed = try await container.send(.DELETE, location, headers: ["If-Match": tag], deadline: deadline)
        guard removed.isSuccess || removed.status == 404 || removed.status == 412 else {
            throw container.failure(removed, location)
        }
    }

    func uploads(
        after cursor: PageCursor?, limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> BegunUploadPage {
        let page = try await page(after: cursor, limit: limit, including: "uncommittedblobs", deadline: deadline)
        var entries: [BegunUploadPage.Entry] = []
        for element in page["Blobs"]?.all("Blob") ?? [] {
            // The list has blobs and uploads alike. An upload has no bytes yet, as an empty blob has none: look closer.
            guard let name = element["Name"]?.text, let location = try? StorageKey(name),
                element["Properties"]?["Content-Length"].flatMap({ Int64($0.text) }) ?? 0 == 0,
                try await present(location, deadline: deadline) == nil,
                try await hasBlocks(location, deadline: deadline)
            else { continue }
            let modified = element["Properties"]?["Last-Modified"].flatMap { CalendarTime(httpDate: $0.text) }
            entries.append(
                BegunUploadPage.Entry(
                    location: location, handle: .none,
                    // Without a time it counts as young, and is left to Azure.
                    activeAt: modified.map { Date(timeIntervalSince1970: $0.seconds) } ?? Date()))
        }
        return BegunUploadPage(entries: entries, next: Self.next(in: page))
    }

    // MARK: - Steps

    private func present(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) -> BlobFacts? {
        do {
            return try await stat(location, deadline: deadline)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    private static func check(
        _ facts: BlobFacts, totalBytes: Int64, _ location: StorageKey
    ) throws(ServiceError) -> BlobFacts {
        guard facts.size == totalBytes else {
            throw ServiceError(.conflict, "There is an object of another size at \"\(location)\".")
        }
        return facts
    }

    /// Whether there are blocks of which no blob was made.
    private func hasBlocks(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) -> Bool {
        let reply = try await container.send(
            .GET, location,
            query: [HTTPQueryItem("comp", "blocklist"), HTTPQueryItem("blocklisttype", "uncommitted")],
            deadline: deadline)
        if AzureFailure(reply).code == "BlobNotFound" { return false }
        guard reply.status == 200 else { throw container.failure(reply, location) }
        guard let list = reply.xml, list.name == "BlockList" else { throw Self.unreadable(location) }
        return !(list["UncommittedBlocks"]?.children.isEmpty ?? true)
    }
}
