import Crypto
import Domain
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Keeps each blob as a block blob of one container of Azure Blob Storage: the location is its name.
///
/// Azure checks the MD5 of each block that it gets, and gives that of each range that is read, which is compared. It orders
/// names by their UTF-16, which differs from the contract's order only between characters above U+FFFF and some below; and it
/// takes a name's parts without a full stop at their end, so blobs should have none there.
struct AzureProvider: StorageProvider {
    let name = ProviderName.azure
    /// Azure's most blocks. 4 MiB is what one range with an MD5 has at the most, and what a message carries well: 195 GiB.
    let limits = ProviderLimits(blockBytes: 4 * 1_024 * 1_024, maxBlocks: 50_000, chunkBytes: 1_048_576)
    let container: AzureContainer

    /// Takes a container. No request is made yet.
    init(container: AzureContainer) {
        self.container = container
    }

    func stat(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) -> BlobFacts {
        let reply = try await container.send(.HEAD, location, deadline: deadline)
        guard reply.status == 200 else { throw container.failure(reply, location) }
        guard let facts = reply.facts() else { throw Self.unreadable(location) }
        return facts
    }

    func read(
        _ location: StorageKey,
        range: ByteRange,
        validator: BlobValidator,
        deadline: Deadline
    ) async throws(ServiceError) -> ByteBuffer {
        try ProviderLimits.check(range)
        guard let tag = EntityTag.tag(of: validator) else { throw Self.changed(location) }
        let reply = try await container.send(
            .GET, location,
            headers: ["x-ms-range": "bytes=\(range)", "x-ms-range-get-content-md5": "true", "If-Match": tag],
            maxReplyBytes: Int(range.count) + HTTPCall.defaultMaxReplyBytes, deadline: deadline)
        guard reply.isSuccess else { throw container.failure(reply, location) }
        let bytes = try reply.bytes(of: range, validator: validator, location)
        guard reply.headers.first(name: "Content-MD5") == Self.digest(of: bytes) else {
            throw ServiceError(.corrupt, "The bytes of \"\(location)\" do not match their checksum.")
        }
        return bytes
    }

    func delete(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        let reply = try await container.send(
            .DELETE, location, headers: ["x-ms-delete-snapshots": "include"], deadline: deadline)
        guard reply.isSuccess || AzureFailure(reply).code == "BlobNotFound" else {
            throw container.failure(reply, location)
        }
    }

    func list(after cursor: PageCursor?, limit: Int, deadline: Deadline) async throws(ServiceError) -> BlobPage {
        let page = try await page(after: cursor, limit: limit, including: nil, deadline: deadline)
        var entries: [BlobPage.Entry] = []
        for element in page["Blobs"]?.all("Blob") ?? [] {
            guard let name = element["Name"]?.text, let location = try? StorageKey(name) else { continue }
            guard let facts = Self.facts(in: element) else { throw Self.unreadable(location) }
            entries.append(BlobPage.Entry(location: location, facts: facts))
        }
        return BlobPage(entries: entries, next: Self.next(in: page))
    }

    // MARK: - Shared with uploads

    /// A page of List Blobs.
    func page(
        after cursor: PageCursor?, limit: Int, including: String?, deadline: Deadline
    ) async throws(ServiceError) -> XMLElement {
        try ProviderLimits.check(pageSize: limit)
        var query = [
            HTTPQueryItem("restype", "container"), HTTPQueryItem("comp", "list"),
            HTTPQueryItem("maxresults", "\(limit)"),
        ]
        if let including { query.append(HTTPQueryItem("include", including)) }
        if let cursor { query.append(HTTPQueryItem("marker", cursor.description)) }
        let reply = try await container.send(.GET, query: query, deadline: deadline)
        guard reply.status == 200 else { throw container.failure(reply, nil) }
        guard let page = reply.xml, page.name == "EnumerationResults" else { throw Self.unreadable(nil) }
        return page
    }

    /// Where the page after a page begins.
    static func next(in page: XMLElement) -> PageCursor? {
        page["NextMarker"].flatMap { $0.text.isEmpty ? nil : PageCursor($0.text) }
    }

    private static func facts(in element: XMLElement) -> BlobFacts? {
        guard let properties = element["Properties"],
            let size = properties["Content-Length"].flatMap({ Int64($0.text) }), size >= 0,
            let validator = properties["Etag"].flatMap({ EntityTag.validator(of: $0.text) }),
            let modified = properties["Last-Modified"].flatMap({ CalendarTime(httpDate: $0.text) })
        else { return nil }
        let type = properties["Content-Type"]?.text ?? ""
        return BlobFacts(
            size: size, validator: validator, modifiedAt: Date(timeIntervalSince1970: modified.seconds),
            contentType: type.isEmpty ? nil : type)
    }

    /// The MD5 of bytes in Base64, as Azure writes it.
    static func digest(of bytes: ByteBuffer) -> String {
        Data(md5(of: bytes)).base64EncodedString()
    }

    /// The MD5 of bytes: 16 of them.
    static func md5(of bytes: ByteBuffer) -> [UInt8] {
        bytes.withUnsafeReadableBytes { memory in
            var hash = Insecure.MD5()
            hash.update(bufferPointer: memory)
            return Array(hash.finalize())
        }
    }

    private static func changed(_ location: StorageKey) -> ServiceError {
        ServiceError(.conflict, "\"\(location)\" has changed; ask again for its current version.")
    }

    static func unreadable(_ location: StorageKey?) -> ServiceError {
        let what = location.map { "\"\($0)\"" } ?? "the container"
        return ServiceError(.unavailable, "The storage service gave an answer about \(what) that makes no sense.")
    }
}
