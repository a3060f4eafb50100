extension MongoCollection {
    /// Adds a document. One without an `_id` gets a new ``ObjectID``.
    ///
    /// - Returns: The document's `_id`.
    /// - Throws: ``MongoError``, of kind `duplicateKey` when the `_id` or a unique index has it already; `CancellationError`.
    @discardableResult
    public func insert(_ document: Document, deadline: ContinuousClock.Instant) async throws -> BSON {
        let (id, encoded) = try encode(document)
        _ = try await write(
            "insert", deadline: deadline,
            [
                "insert": .string(name), "documents": [.document(encoded)],
            ])
        return id
    }

    /// Adds documents in their order, up to the first that is refused; those before it stay.
    ///
    /// - Parameters:
    ///   - documents: At most 16 MiB together, as BSON. None is well.
    ///   - deadline: When to give up.
    /// - Returns: The documents' `_id`s.
    /// - Throws: ``MongoError`` for the first that was refused, with its `_id`; `tooLarge` for more than 16 MiB, of
    ///   which none is added; `CancellationError`.
    @discardableResult
    public func insert(contentsOf documents: [Document], deadline: ContinuousClock.Instant) async throws -> [BSON] {
        guard !documents.isEmpty else { return [] }
        let encoded = try documents.map { (document) throws(MongoError) in try encode(document) }
        _ = try await write(
            "insert", deadline: deadline,
            [
                "insert": .string(name), "documents": .array(encoded.map { .document($0.document) }), "ordered": true,
            ])
        return encoded.map(\.id)
    }

    /// Changes the first document that matches.
    ///
    /// - Parameters:
    ///   - filter: Which document.
    ///   - update: Update operators, such as `["$set": ["title": "Weir"]]`.
    ///   - upsert: Whether to add a document of filter and update when none matches.
    ///   - deadline: When to give up.
    /// - Returns: What it did.
    /// - Throws: ``MongoError``, `CancellationError`. Two upserts at once may both find nothing; where a unique index forbids
    ///   the second, it is `duplicateKey`: try again.
    @discardableResult
    public func updateOne(
        _ filter: BSONDocument, _ update: BSONDocument, upsert: Bool = false, deadline: ContinuousClock.Instant
    ) async throws -> MongoUpdateResult {
        try await self.update("updateOne", filter, .document(update), upsert: upsert, multi: false, deadline: deadline)
    }

    /// Changes every document that matches, each by itself atomically.
    ///
    /// - Returns: What it did.
    /// - Throws: ``MongoError``, `CancellationError`; some may have been changed then.
    @discardableResult
    public func updateMany(
        _ filter: BSONDocument, _ update: BSONDocument, deadline: ContinuousClock.Instant
    ) async throws -> MongoUpdateResult {
        try await self.update("updateMany", filter, .document(update), upsert: false, multi: true, deadline: deadline)
    }

    /// Puts a document in the place of the first that matches, keeping that one's `_id`.
    ///
    /// - Parameters:
    ///   - filter: Which document.
    ///   - replacement: The whole new document; an `_id` in it must be the old one's.
    ///   - upsert: Whether to add it when none matches.
    ///   - deadline: When to give up.
    /// - Returns: What it did.
    /// - Throws: ``MongoError``, `CancellationError`.
    @discardableResult
    public func replaceOne(
        _ filter: BSONDocument, with replacement: Document, upsert: Bool = false, deadline: ContinuousClock.Instant
    ) async throws -> MongoUpdateResult {
        let document = try encodeAsIs(replacement)
        return try await update(
            "replaceOne", filter, .document(document), upsert: upsert, multi: false, deadline: deadline)
    }

    /// Changes the first document that matches in the order of `sort`, and gives it back.
    ///
    /// - Parameters:
    ///   - filter: Which document.
    ///   - update: Update operators.
    ///   - sort: Which of several; nil for any.
    ///   - upsert: Whether to add a document when none matches.
    ///   - version: Whether to give back the document as it is afterwards, or as it was before.
    ///   - deadline: When to give up.
    /// - Returns: The document; nil when none matched, and for `before` also when one was added.
    /// - Throws: ``MongoError``; of kind `malformedDocument` when the document given back has the wrong shape, in which case
    ///   it **has been** changed. `CancellationError`.
    public func findOneAndUpdate(
        _ filter: BSONDocument, _ update: BSONDocument, sort: BSONDocument? = nil, upsert: Bool = false,
        returning version: MongoDocumentVersion, deadline: ContinuousClock.Instant
    ) async throws -> Document? {
        var command: [(String, BSON)] = [
            ("findAndModify", .string(name)), ("query", .document(filter)), ("update", .document(update)),
            ("upsert", .bool(upsert)), ("new", .bool(version == .after)),
        ]
        if let sort { command.append(("sort", .document(sort))) }
        let reply = try await write("findOneAndUpdate", deadline: deadline, BSONDocument(literal: command))
        guard case .document(let document)? = reply["value"] else { return nil }
        return try decode(document, operation: "findOneAndUpdate")
    }

    /// Removes the first document that matches.
    ///
    /// - Returns: How many were removed: 0 or 1.
    /// - Throws: ``MongoError``, `CancellationError`.
    @discardableResult
    public func deleteOne(_ filter: BSONDocument, deadline: ContinuousClock.Instant) async throws -> Int {
        try await delete("deleteOne", filter, limit: 1, deadline: deadline)
    }

    /// Removes every document that matches.
    ///
    /// - Returns: How many were removed.
    /// - Throws: ``MongoError``, `CancellationError`; some may have been removed then.
    @discardableResult
    public func deleteMany(_ filter: BSONDocument, deadline: ContinuousClock.Instant) async throws -> Int {
        try await delete("deleteMany", filter, limit: 0, deadline: deadline)
    }

    /// Makes the indexes that do not exist yet, and the collection too.
    ///
    /// It may be called at each start, by several processes at once. On a large collection it takes its time: a deadline that
    /// passes aborts the building.
    ///
    /// - Throws: ``MongoError``; `commandFailed(code: 85)` or `86` when an index of that name or those keys exists with other
    ///   properties, `duplicateKey` when the documents there break a unique one. `CancellationError`.
    public func createIndexes(_ indexes: [MongoIndex], deadline: ContinuousClock.Instant) async throws {
        guard !indexes.isEmpty else { return }
        _ = try await write(
            "createIndexes", deadline: deadline,
            [
                "createIndexes": .string(name), "indexes": .array(indexes.map { .document($0.specification) }),
            ])
    }

    // MARK: - Commands

    private func update(
        _ operation: String, _ filter: BSONDocument, _ update: BSON, upsert: Bool, multi: Bool,
        deadline: ContinuousClock.Instant
    ) async throws -> MongoUpdateResult {
        let reply = try await write(
            operation, deadline: deadline,
            [
                "update": .string(name),
                "updates": [["q": .document(filter), "u": update, "upsert": .bool(upsert), "multi": .bool(multi)]],
            ])
        let upserted = reply["upserted"]?.arrayValue?.first?.documentValue?["_id"]
        let count = Int(reply["n"]?.integerValue ?? 0)
        return MongoUpdateResult(
            matched: upserted == nil ? count : 0, modified: Int(reply["nModified"]?.integerValue ?? 0),
            upsertedID: upserted)
    }

    private func delete(
        _ operation: String, _ filter: BSONDocument, limit: Int32, deadline: ContinuousClock.Instant
    ) async throws -> Int {
        let reply = try await write(
            operation, deadline: deadline,
            [
                "delete": .string(name), "deletes": [["q": .document(filter), "limit": .int32(limit)]],
            ])
        return Int(reply["n"]?.integerValue ?? 0)
    }

    private func write(
        _ operation: String, deadline: ContinuousClock.Instant, _ command: BSONDocument
    ) async throws -> BSONDocument {
        try await client.perform(operation, collection: name, deadline: deadline) {
            (connection) throws(MongoError) in try connection.write(command)
        }
    }
}
