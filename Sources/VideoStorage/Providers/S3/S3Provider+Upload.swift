import Crypto
import Domain
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Uploads: multipart uploads, whose parts are numbered from 1. Which parts there are, and what S3 calls them, S3 is asked
/// for at the commit; the receipt only tells whether a part is the one that was staged.
extension S3Provider {
    /// Enough of an entity tag to tell two parts apart, short enough to leave room for the receipts of what wraps this.
    private static let receiptBytes = 12

    func begin(
        _ location: StorageKey,
        contentType: String?,
        deadline: Deadline
    ) async throws(ServiceError) -> UploadHandle {
        var headers = HTTPHeaders()
        if let contentType { headers.add(name: "Content-Type", value: contentType) }
        let reply = try await bucket.send(
            .POST, location, query: [HTTPQueryItem("uploads")], headers: headers, deadline: deadline)
        guard reply.status == 200 else { throw bucket.failure(reply, location) }
        guard let id = reply.xml?["UploadId"]?.text, !id.isEmpty, id.utf8.count <= ProviderLimits.maxHandleBytes else {
            throw Self.unreadable(location)
        }
        return UploadHandle(id)
    }

    func stage(
        _ handle: UploadHandle,
        at location: StorageKey,
        index: Int,
        bytes: ByteBuffer,
        deadline: Deadline
    ) async throws(ServiceError) -> String {
        try limits.check(index: index, byteCount: bytes.readableBytes)
        let digest = bytes.withUnsafeReadableBytes { memory in
            var hash = Insecure.MD5()
            hash.update(bufferPointer: memory)
            return Data(hash.finalize()).base64EncodedString()
        }
        let reply = try await bucket.send(
            .PUT, location,
            query: [HTTPQueryItem("partNumber", "\(index + 1)"), HTTPQueryItem("uploadId", handle.description)],
            headers: ["Content-MD5": digest], body: bytes, deadline: deadline)
        guard reply.status == 200 else { throw bucket.failure(reply, location) }
        guard let tag = reply.headers.first(name: "ETag") else { throw Self.unreadable(location) }
        return Self.receipt(of: tag)
    }

    func commit(
        _ handle: UploadHandle,
        at location: StorageKey,
        blocks: [StagedBlock],
        contentType: String?,
        deadline: Deadline
    ) async throws(ServiceError) -> BlobFacts {
        let total = try limits.totalBytes(of: blocks)
        if let facts = try await present(location, deadline: deadline) {
            let checked = try Self.check(facts, totalBytes: total, location)
            // What the blob was not made of is dropped; usually there is nothing.
            try await abort(handle, at: location, deadline: deadline)
            return checked
        }
        if let tags = try await tags(of: handle, location, deadline: deadline) {
            if blocks.isEmpty {
                try await putEmpty(location, contentType, deadline: deadline)
                try await abort(handle, at: location, deadline: deadline)
            } else {
                let parts = try Self.parts(blocks, tags)
                if let failure = try await complete(handle, location, parts, deadline: deadline) {
                    // Another call may have completed it at the same moment, and this one have failed for it.
                    guard let facts = try await present(location, deadline: deadline) else { throw failure }
                    return try Self.check(facts, totalBytes: total, location)
                }
            }
        }
        guard let facts = try await present(location, deadline: deadline) else {
            throw ServiceError(
                .notFound, "There is no upload to \"\(location)\": it is over, or was never begun.")
        }
        return try Self.check(facts, totalBytes: total, location)
    }

    func abort(_ handle: UploadHandle, at location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        guard handle != .none else { return }
        let reply = try await bucket.send(
            .DELETE, location, query: [HTTPQueryItem("uploadId", handle.description)], deadline: deadline)
        guard reply.isSuccess || reply.status == 404 && S3Failure(reply).code != "NoSuchBucket" else {
            throw bucket.failure(reply, location)
        }
    }

    func uploads(
        after cursor: PageCursor?, limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> BegunUploadPage {
        try ProviderLimits.check(pageSize: limit)
        var query = [HTTPQueryItem("uploads"), HTTPQueryItem("max-uploads", "\(limit)")]
        // A key holds no line feed.
        if let markers = cursor?.description.split(separator: "\n", maxSplits: 1), markers.count == 2 {
            query.append(HTTPQueryItem("key-marker", String(markers[0])))
            query.append(HTTPQueryItem("upload-id-marker", String(markers[1])))
        }
        let reply = try await bucket.send(.GET, query: query, deadline: deadline)
        guard reply.status == 200 else { throw bucket.failure(reply, nil) }
        guard let page = reply.xml, page.name == "ListMultipartUploadsResult" else { throw Self.unreadable(nil) }
        let entries: [BegunUploadPage.Entry] = page.all("Upload").compactMap { element in
            guard let key = element["Key"]?.text, let location = try? StorageKey(key),
                let id = element["UploadId"]?.text,
                let begun = element["Initiated"].flatMap({ CalendarTime(iso8601: $0.text) })
            else { return nil }
            return BegunUploadPage.Entry(
                location: location, handle: UploadHandle(id), activeAt: Date(timeIntervalSince1970: begun.seconds))
        }
        guard page["IsTruncated"]?.text == "true" else { return BegunUploadPage(entries: entries, next: nil) }
        guard let key = page["NextKeyMarker"]?.text, let id = page["NextUploadIdMarker"]?.text, !key.isEmpty else {
            throw Self.unreadable(nil)
        }
        return BegunUploadPage(entries: entries, next: PageCursor("\(key)\n\(id)"))
    }

    // MARK: - Steps of a commit

    /// The facts of the blob, `nil` when there is none.
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

    /// The entity tags and sizes of the parts that S3 has, by block; `nil` when there is no such upload.
    private func tags(
        of handle: UploadHandle, _ location: StorageKey, deadline: Deadline
    ) async throws(ServiceError) -> [Int: StagedPart]? {
        var found: [Int: StagedPart] = [:]
        var marker = 0
        while true {
            let reply = try await bucket.send(
                .GET, location,
                query: [
                    HTTPQueryItem("uploadId", handle.description), HTTPQueryItem("part-number-marker", "\(marker)"),
                ], deadline: deadline)
            if S3Failure(reply).code == "NoSuchUpload" { return nil }
            guard reply.status == 200 else { throw bucket.failure(reply, location) }
            guard let page = reply.xml, page.name.hasPrefix("ListParts") else { throw Self.unreadable(location) }
            for element in page.all("Part") {
                guard let number = element["PartNumber"].flatMap({ Int($0.text) }),
                    let size = element["Size"].flatMap({ Int($0.text) }), let tag = element["ETag"]?.text
                else { throw Self.unreadable(location) }
                found[number - 1] = StagedPart(tag: tag, size: size)
            }
            guard page["IsTruncated"]?.text == "true" else { return found }
            guard let next = page["NextPartNumberMarker"].flatMap({ Int($0.text) }), next > marker else {
                throw Self.unreadable(location)
            }
            marker = next
        }
    }

    private static func parts(
        _ blocks: [StagedBlock], _ tags: [Int: StagedPart]
    ) throws(ServiceError) -> [StagedPart] {
        var parts: [StagedPart] = []
        for block in blocks {
            guard let part = tags[block.index], part.size == block.size, receipt(of: part.tag) == block.receipt else {
                throw ServiceError(
                    .invalidArgument, "Block \(block.index) was not staged as it is named; stage it again.")
            }
            parts.append(part)
        }
        return parts
    }

    /// Puts the parts together. An upload that is gone was completed by another call, or aborted: the caller looks.
    ///
    /// - Returns: What S3 answered, when that is no success.
    private func complete(
        _ handle: UploadHandle, _ location: StorageKey, _ parts: [StagedPart], deadline: Deadline
    ) async throws(ServiceError) -> ServiceError? {
        var text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for (index, part) in parts.enumerated() {
            text += "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(Self.escaped(part.tag))</ETag></Part>"
        }
        text += "</CompleteMultipartUpload>"
        let reply = try await bucket.send(
            .POST, location, query: [HTTPQueryItem("uploadId", handle.description)],
            headers: ["Content-Type": "application/xml"], body: ByteBuffer(string: text), deadline: deadline)
        // S3 may say 200 before it knows, and tell of a failure in the body.
        let failure = S3Failure(reply)
        guard !reply.isSuccess || !failure.code.isEmpty, failure.code != "NoSuchUpload" else { return nil }
        return bucket.failure(reply, location)
    }

    /// S3 puts no upload together that has no part.
    private func putEmpty(
        _ location: StorageKey, _ contentType: String?, deadline: Deadline
    ) async throws(ServiceError) {
        var headers = HTTPHeaders()
        if let contentType { headers.add(name: "Content-Type", value: contentType) }
        let reply = try await bucket.send(.PUT, location, headers: headers, body: ByteBuffer(), deadline: deadline)
        guard reply.isSuccess else { throw bucket.failure(reply, location) }
    }

    private static func receipt(of tag: String) -> String {
        String(tag.filter { $0 != "\"" }.prefix(receiptBytes))
    }

    private static func escaped(_ text: String) -> String {
        text.map { character in
            switch character {
            case "&": "&amp;"
            case "<": "&lt;"
            case ">": "&gt;"
            case "\"": "&quot;"
            default: String(character)
            }
        }.joined()
    }
}

/// A part that S3 has.
private struct StagedPart: Sendable {
    let tag: String
    let size: Int
}
