extension MongoCollection {
    /// The documents that match, in the order of `sort`, decoded.
    ///
    /// - Parameters:
    ///   - filter: MongoDB's query language; empty for all documents.
    ///   - sort: Fields with 1 or -1; nil for no particular order.
    ///   - limit: The most documents to give back, at least 1.
    ///   - skip: How many to leave out before the first. The server walks over them; page by key where there may be many.
    ///   - projection: Fields with 1 or 0; nil for whole documents.
    ///   - deadline: When to give up.
    /// - Returns: At most `limit` documents.
    /// - Throws: ``MongoError``, `CancellationError`. One document of the wrong shape fails all with `malformedDocument`, which
    ///   names it; use ``findResults(_:sort:limit:skip:projection:deadline:)`` where the others matter. More than
    ///   ``MongoConfiguration/maxResultBytes`` is `tooLarge`.
    public func find(
        _ filter: BSONDocument = [:], sort: BSONDocument? = nil, limit: Int, skip: Int = 0,
        projection: BSONDocument? = nil, deadline: ContinuousClock.Instant
    ) async throws -> [Document] {
        let found = try await bytes(
            "find", query: Query(filter: filter, sort: sort, limit: limit, skip: skip, projection: projection),
            deadline: deadline)
        return try found.map { (bytes) throws(MongoError) in try decode(bytes, operation: "find") }
    }

    /// The documents that match, as ``find(_:sort:limit:skip:projection:deadline:)`` gives them, with an error in the place
    /// of each that does not have the expected shape.
    ///
    /// Each such error is of kind `malformedDocument`, names the document's `_id` and the field, and has been logged.
    public func findResults(
        _ filter: BSONDocument = [:], sort: BSONDocument? = nil, limit: Int, skip: Int = 0,
        projection: BSONDocument? = nil, deadline: ContinuousClock.Instant
    ) async throws -> [Result<Document, MongoError>] {
        let found = try await bytes(
            "find", query: Query(filter: filter, sort: sort, limit: limit, skip: skip, projection: projection),
            deadline: deadline)
        return found.map { bytes in
            Result { () throws(MongoError) in try decode(bytes, operation: "find") }
        }
    }

    /// The first document that matches, nil when there is none.
    ///
    /// - Throws: ``MongoError``, also `malformedDocument`; `CancellationError`.
    public func findOne(
        _ filter: BSONDocument, sort: BSONDocument? = nil, projection: BSONDocument? = nil,
        deadline: ContinuousClock.Instant
    ) async throws -> Document? {
        let found = try await bytes(
            "findOne", query: Query(filter: filter, sort: sort, limit: 1, skip: 0, projection: projection),
            deadline: deadline)
        return try found.first.map { (bytes) throws(MongoError) in try decode(bytes, operation: "findOne") }
    }

    /// How many documents match, counted one by one.
    ///
    /// - Parameters:
    ///   - filter: MongoDB's query language without `$where` and `$near`; empty for all documents.
    ///   - deadline: When to give up.
    /// - Returns: The number at one time during the counting.
    /// - Throws: ``MongoError``, `CancellationError`.
    public func count(_ filter: BSONDocument = [:], deadline: ContinuousClock.Instant) async throws -> Int {
        let command: BSONDocument = [
            "aggregate": .string(name),
            "pipeline": [
                ["$match": .document(filter)],
                ["$group": ["_id": nil, "count": ["$sum": 1]]],
            ],
            "cursor": [:],
        ]
        let reply = try await client.perform("count", collection: name, deadline: deadline) {
            (connection) throws(MongoError) in try connection.read(command)
        }
        let group = reply["cursor"]?.documentValue?["firstBatch"]?.arrayValue?.first?.documentValue
        return Int(group?["count"]?.integerValue ?? 0)
    }

    struct Query: Sendable {
        var filter: BSONDocument
        var sort: BSONDocument?
        var limit: Int
        var skip = 0
        var projection: BSONDocument?
        /// Goes on after the document with this `_id`, a document of that field only; the query is sorted by `_id` then.
        var after: BSONDocument?
        /// Whether to end the result early when it has enough bytes, instead of failing.
        var endsAtMaxBytes = false

        /// The options as libmongoc takes them.
        var options: BSONDocument {
            // One more where the first is the one to go on after.
            var fields: [(String, BSON)] = [("limit", .int64(Int64(limit) + (after == nil ? 0 : 1)))]
            if skip > 0 { fields.append(("skip", .int64(Int64(skip)))) }
            if let sort { fields.append(("sort", .document(sort))) }
            if let projection { fields.append(("projection", .document(projection))) }
            if let after {
                fields.append(("min", .document(after)))
                fields.append(("hint", ["_id": 1]))
            }
            return BSONDocument(literal: fields)
        }
    }

    /// Runs a query and copies what it finds, within the limits.
    func bytes(_ operation: String, query: Query, deadline: ContinuousClock.Instant) async throws -> [[UInt8]] {
        try await collect(operation, query: query, into: [], deadline: deadline) { found, document in
            found.append(DriverDocument.bytes(document))
        }
    }

    /// Runs a query and gathers what it finds, within the limits, on the thread that has asked the driver.
    func collect<Value: Sendable>(
        _ operation: String, query: Query, into value: Value, deadline: ContinuousClock.Instant,
        _ take: @escaping @Sendable (inout Value, OpaquePointer) -> Void
    ) async throws -> Value {
        guard (1..<Int.max).contains(query.limit), query.skip >= 0 else {
            throw MongoError(
                .malformedDocument, "limit is \(query.limit) and skip is \(query.skip); ask for at least one document",
                collection: name)
        }
        return try await client.perform(operation, collection: name, deadline: deadline) {
            [name] (connection) throws(MongoError) in
            var found = value
            var (count, total) = (0, 0)
            var isTooMuch = false
            try connection.find(name, filter: query.filter, options: query.options) { document in
                if let after = query.after,
                    BSONDocument.identifier(inUnchecked: DriverDocument.bytes(document)) == after
                {
                    return true
                }
                total += DriverDocument.lentBytes(document).count
                if total > connection.maxResultBytes, count > 0 {
                    isTooMuch = true
                    return false
                }
                count += 1
                take(&found, document)
                return count < query.limit
            }
            if isTooMuch, !query.endsAtMaxBytes {
                throw MongoError(
                    .tooLarge,
                    "the documents found have more than \(connection.maxResultBytes) bytes; ask for fewer at a time, or "
                        + "raise maxResultBytes")
            }
            return found
        }
    }
}
