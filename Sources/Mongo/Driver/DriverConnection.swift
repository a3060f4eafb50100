internal import CMongoC

/// A connection in the hands of one thread for one operation. Everything here blocks.
struct DriverConnection {
    let client: OpaquePointer
    let database: String
    let deadline: ContinuousClock.Instant
    let maxResultBytes: Int

    /// Every acknowledged write is on a majority of the members and in their journals.
    private static let writeConcern: BSONDocument = ["w": "majority", "j": true]

    /// What is left until the deadline, at least 1: 0 would mean no limit to the server.
    private var remainingMilliseconds: Int64 {
        let remaining = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
        return max(1, Int64(exactly: min(remaining, 2_147_483_647).rounded(.up)) ?? 1)
    }

    /// Runs a command that changes nothing, on the primary, and gives its reply.
    func read(_ command: BSONDocument) throws(MongoError) -> BSONDocument {
        let command = try withTimeLimit(command)
        return try run(command) { (bson, reply, error) in
            mongoc_client_read_command_with_opts(client, database, bson, nil, nil, reply, error)
        }
    }

    /// Runs a command that writes, and gives its reply once the write is safe.
    ///
    /// - Throws: Also the first of the reply's `writeErrors`, and a write concern that was not reached.
    func write(_ command: BSONDocument) throws(MongoError) -> BSONDocument {
        let command = try withTimeLimit(command)
        var concern = Self.writeConcern
        try wrap { () throws(BSONError) in try concern.append("wtimeout", .int64(remainingMilliseconds)) }
        let options: BSONDocument = ["writeConcern": .document(concern)]
        let reply = try DriverDocument.withBSON(options) { (options) throws(MongoError) in
            try run(command) { (bson, reply, error) in
                mongoc_client_write_command_with_opts(client, database, bson, options, reply, error)
            }
        }
        if let error = DriverError.writeError(in: reply) { throw error }
        return reply
    }

    /// Runs any command as it is.
    func command(_ command: BSONDocument) throws(MongoError) -> BSONDocument {
        try run(try withTimeLimit(command)) { (bson, reply, error) in
            mongoc_client_command_with_opts(client, database, bson, nil, nil, reply, error)
        }
    }

    /// Runs a query and lends each document to `receive` until that gives false.
    func find(
        _ collection: String, filter: BSONDocument, options: BSONDocument, receive: (OpaquePointer) -> Bool
    ) throws(MongoError) {
        var options = options
        try wrap { () throws(BSONError) in try options.append("maxTimeMS", .int64(remainingMilliseconds)) }
        guard !collection.isEmpty, !collection.utf8.contains(0),
            let handle = mongoc_client_get_collection(client, database, collection)
        else {
            throw MongoError(.malformedDocument, "a collection's name must not be empty or hold a NUL character")
        }
        defer { mongoc_collection_destroy(handle) }
        try DriverDocument.withBSON(filter) { (filter) throws(MongoError) in
            try DriverDocument.withBSON(options) { (options) throws(MongoError) in
                guard let cursor = mongoc_collection_find_with_opts(handle, filter, options, nil) else {
                    throw MongoError(.malformedDocument, "libmongoc refused the query")
                }
                defer { mongoc_cursor_destroy(cursor) }
                try drain(cursor, receive)
            }
        }
    }

    private func drain(_ cursor: OpaquePointer, _ receive: (OpaquePointer) -> Bool) throws(MongoError) {
        var document: OpaquePointer?
        while mongoc_cursor_next(cursor, &document) {
            guard let found = document, receive(found) else { return }
        }
        var error = bson_error_t()
        var reply: OpaquePointer?
        if mongoc_cursor_error_document(cursor, &error, &reply) {
            throw DriverError.error(error, reply: reply.flatMap { try? BSONDocument(bytes: DriverDocument.bytes($0)) })
        }
    }

    private func run(
        _ command: BSONDocument,
        _ call: (OpaquePointer, OpaquePointer, UnsafeMutablePointer<bson_error_t>) -> Bool
    ) throws(MongoError) -> BSONDocument {
        try DriverDocument.withBSON(command) { (bson) throws(MongoError) in
            try DriverDocument.withReply { (reply) throws(MongoError) in
                var error = bson_error_t()
                let succeeded = call(bson, reply, &error)
                let bytes = DriverDocument.bytes(reply)
                guard succeeded else {
                    throw DriverError.error(error, reply: try? BSONDocument(bytes: bytes))
                }
                return try wrap { () throws(BSONError) in try BSONDocument(bytes: bytes) }
            }
        }
    }

    private func withTimeLimit(_ command: BSONDocument) throws(MongoError) -> BSONDocument {
        var command = command
        try wrap { () throws(BSONError) in try command.append("maxTimeMS", .int64(remainingMilliseconds)) }
        return command
    }

    private func wrap<Result>(_ body: () throws(BSONError) -> Result) throws(MongoError) -> Result {
        do {
            return try body()
        } catch {
            throw MongoError(error.kind == .tooLarge ? .tooLarge : .malformedDocument, error.description, cause: error)
        }
    }
}
