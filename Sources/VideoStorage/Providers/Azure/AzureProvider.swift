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
/// Azure checks the MD5 of each block that it gets, and gives that of a range on request. It orders
/// names by their UTF-16, which differs from the contract's order only between characters above U+FFFF and some below; and it
/// takes a name's parts without a full stop at their end, so blobs should have none there.
struct AzureProvider: StorageProvider {
    let name = ProviderName.azure
    /// Azure's most blocks. 4 MiB is what one range with an MD5 has at the most, and what a message carries well: 195 GiB.
    let limits = ProviderLimits(blockBytes: 4 * 1_024 * 1_024, maxBlocks: 50_000, chunkBytes: 1_048_576)
    let container: AzureContainer
    private let comparesMD5: Bool

    /// Takes a container. No request is made yet.
    ///
    /// - Parameters:
    ///   - container: The container.
    ///   - comparesMD5: Whether the MD5 of each range that is read is asked for and compared. It takes 1.5 ms a MiB, more than
    ///     all the rest of a read, so it is for blobs of which nothing better is known; see ``CheckedProvider``.
    init(container: AzureContainer, comparesMD5: Bool) {
        self.container = container
        self.comparesMD5 = comparesMD5
    }

    /// The container as workers use it: with checksums of our own, and Azure's MD5 for the blobs that have none.
    static func checked(in container: AzureContainer) -> CheckedProvider {
        CheckedProvider(
            AzureProvider(container: container, comparesMD5: false),
            readingOthersWith: AzureProvider(container: container, comparesMD5: true))
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
    ) async throws(ServiceError) -> BlobBytes {
        try ProviderLimits.check(range)
        guard let tag = EntityTag.tag(of: validator) else { throw Self.changed(location) }
        var headers: HTTPHeaders = ["x-ms-range": "bytes=\(range)", "If-Match": tag]
        if comparesMD5 { headers.add(name: "x-ms-range-get-content-md5", value: "true") }
        let reply = try await container.send(
            .GET, location, headers: headers,
            maxReplyBytes: Int(range.count) + HTTPCall.defaultMaxReplyBytes, deadline: deadline)
        guard reply.isSuccess else { throw container.failure(reply, location) }
        let read = try reply.bytes(of: range, validator: validator, location)
        guard !comparesMD5 || reply.headers.first(name: "Content-MD5") == Self.digest(of: read.bytes) else {
            throw ServiceError(.corrupt, "The bytes of \"\(location)\" do not match their checksum.")
        }
        return read
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
