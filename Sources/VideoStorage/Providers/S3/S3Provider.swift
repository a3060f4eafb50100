import Domain
import Logging
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Keeps each blob as an object of one S3 bucket: the location is its key. For Amazon S3 and services that speak as it does.
///
/// Uploads are multipart uploads. Amazon orders keys by their UTF-8, as the contract wants. A body that is sent is signed, so
/// that it arrives as it is or not at all; S3 has no checksum for a range that is read, see ``CheckedProvider``.
struct S3Provider: StorageProvider {
    let name = ProviderName.s3
    /// S3's least size of a part that is not the last, and its most parts: 48.8 GiB.
    let limits = ProviderLimits(blockBytes: 5 * 1_024 * 1_024, maxBlocks: 10_000, chunkBytes: 1_048_576)
    let bucket: S3Bucket

    /// Takes a bucket. No request is made yet.
    init(bucket: S3Bucket) {
        self.bucket = bucket
    }

    func stat(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) -> BlobFacts {
        let reply = try await bucket.send(.HEAD, location, deadline: deadline)
        guard reply.status == 200 else { throw bucket.failure(reply, location) }
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
        let reply = try await bucket.send(
            .GET, location, headers: ["Range": "bytes=\(range)", "If-Match": tag],
            maxReplyBytes: Int(range.count) + HTTPCall.defaultMaxReplyBytes, deadline: deadline)
        guard reply.isSuccess else { throw bucket.failure(reply, location) }
        return try reply.bytes(of: range, validator: validator, location)
    }

    func delete(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        let reply = try await bucket.send(.DELETE, location, deadline: deadline)
        guard reply.isSuccess || S3Failure(reply).code == "NoSuchKey" else { throw bucket.failure(reply, location) }
    }

    func list(after cursor: PageCursor?, limit: Int, deadline: Deadline) async throws(ServiceError) -> BlobPage {
        try ProviderLimits.check(pageSize: limit)
        var query = [HTTPQueryItem("list-type", "2"), HTTPQueryItem("max-keys", "\(limit)")]
        if let cursor { query.append(HTTPQueryItem("continuation-token", cursor.description)) }
        let reply = try await bucket.send(.GET, query: query, deadline: deadline)
        guard reply.status == 200 else { throw bucket.failure(reply, nil) }
        guard let page = reply.xml, page.name == "ListBucketResult" else { throw Self.unreadable(nil) }
        var entries: [BlobPage.Entry] = []
        for element in page.all("Contents") {
            guard let key = element["Key"]?.text, let location = try? StorageKey(key) else { continue }
            guard let facts = Self.facts(in: element) else { throw Self.unreadable(location) }
            entries.append(BlobPage.Entry(location: location, facts: facts))
        }
        let next = page["NextContinuationToken"]?.text
        guard page["IsTruncated"]?.text == "true" else { return BlobPage(entries: entries, next: nil) }
        guard let next, !next.isEmpty else { throw Self.unreadable(nil) }
        return BlobPage(entries: entries, next: PageCursor(next))
    }

    private static func facts(in element: XMLElement) -> BlobFacts? {
        guard let size = element["Size"].flatMap({ Int64($0.text) }), size >= 0,
            let validator = element["ETag"].flatMap({ EntityTag.validator(of: $0.text) }),
            let modified = element["LastModified"].flatMap({ CalendarTime(iso8601: $0.text) })
        else { return nil }
        return BlobFacts(
            size: size, validator: validator, modifiedAt: Date(timeIntervalSince1970: modified.seconds),
            contentType: nil)
    }

    private static func changed(_ location: StorageKey) -> ServiceError {
        ServiceError(.conflict, "\"\(location)\" has changed; ask again for its current version.")
    }

    static func unreadable(_ location: StorageKey?) -> ServiceError {
        let what = location.map { "\"\($0)\"" } ?? "the bucket"
        return ServiceError(.unavailable, "The storage service gave an answer about \(what) that makes no sense.")
    }
}
