extension MongoCollection {
    /// Every document that matches, in batches in the order of `_id`, however many there are.
    ///
    /// Guaranteed: a document that exists and matches during the whole iteration comes exactly once. Not guaranteed: one that
    /// is added, removed or changed meanwhile may come or not, and the batches are not one snapshot. A document whose
    /// `_id` is the value MaxKey is left out beyond the first batch.
    ///
    /// Each batch is a query of its own that goes on by the `_id` index after the last document. So nothing is held between
    /// two batches, neither a thread nor a cursor; the caller may take as long as it likes, and stop at any time; and
    /// memory is bounded by one batch. The filter must not use `$text` or `$near`.
    ///
    /// - Parameters:
    ///   - filter: MongoDB's query language; empty for all documents.
    ///   - size: The most documents in a batch. It has fewer where they exceed ``MongoConfiguration/maxResultBytes``.
    ///   - timeout: How long one batch may take.
    /// - Returns: The batches; nothing is asked for before the first is.
    public func batches(
        _ filter: BSONDocument = [:], size: Int, timeout: Duration
    ) -> MongoBatches<Document> {
        MongoBatches(collection: self, filter: filter, size: size, timeout: timeout)
    }
}

/// The documents of a collection in batches; see ``MongoCollection/batches(_:size:timeout:)``.
///
/// An element holds at least one document, with an error in the place of each that does not have the expected shape, as in
/// ``MongoCollection/findResults(_:sort:limit:skip:projection:deadline:)``. An iteration throws ``MongoError`` or
/// `CancellationError`; asking for the next batch again repeats the query that failed.
public struct MongoBatches<Document: Codable & Sendable>: AsyncSequence, Sendable {
    /// One batch.
    public typealias Element = [Result<Document, MongoError>]

    let collection: MongoCollection<Document>
    let filter: BSONDocument
    let size: Int
    let timeout: Duration

    /// Begins at the smallest `_id`.
    public func makeAsyncIterator() -> Iterator {
        Iterator(batches: self)
    }

    /// Where an iteration is.
    public struct Iterator: AsyncIteratorProtocol {
        let batches: MongoBatches
        private var last: BSONDocument?
        private var isAtEnd = false

        init(batches: MongoBatches) {
            self.batches = batches
        }

        /// The next batch, nil after the last.
        public mutating func next() async throws -> Element? {
            guard !isAtEnd else { return nil }
            let collection = batches.collection
            var query = MongoCollection<Document>.Query(filter: batches.filter, limit: batches.size)
            query.sort = ["_id": 1]
            query.after = last
            query.endsAtMaxBytes = true
            let found = try await collection.bytes("batch", query: query, deadline: .now + batches.timeout)
            guard let end = found.last else {
                isAtEnd = true
                return nil
            }
            guard let id = BSONDocument.identifier(inUnchecked: end) else {
                // Nothing that MongoDB stores is like that; going on would begin anew.
                isAtEnd = true
                throw MongoError(.malformedDocument, "a document without a readable _id", collection: collection.name)
            }
            last = id
            return found.map { bytes in
                Result { () throws(MongoError) in try collection.decode(bytes, operation: "batch") }
            }
        }
    }
}
