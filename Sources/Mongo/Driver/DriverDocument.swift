internal import CMongoC

/// Crosses between ``BSONDocument`` and `bson_t`.
///
/// A `bson_t` is aligned to 128 bytes, which Swift cannot express and therefore leaves the type opaque. Those here come from
/// libbson, or stand in memory that was asked for with that alignment.
enum DriverDocument {
    /// Size and alignment of a `bson_t`; the shim asserts them.
    private static let size = 128

    /// Lends a document to C for the duration of the call. The bytes are copied once, by libbson.
    static func withBSON<Result>(
        _ document: BSONDocument, _ body: (OpaquePointer) throws(MongoError) -> Result
    ) throws(MongoError) -> Result {
        guard document.bytes.count <= BSONDocument.maxBytes else {
            throw MongoError(
                .tooLarge, "the command has \(document.bytes.count) bytes; the limit is \(BSONDocument.maxBytes)")
        }
        // It reads the length from the bytes and is nil only when that does not match.
        guard let bson = bson_new_from_data(document.bytes, document.bytes.count) else {
            throw MongoError(.malformedDocument, "libbson refused a document of \(document.bytes.count) bytes")
        }
        defer { bson_destroy(bson) }
        return try body(bson)
    }

    /// Lends C a place for a reply, which the callee initialises in every case, and destroys it afterwards.
    static func withReply<Result>(
        _ body: (OpaquePointer) throws(MongoError) -> Result
    ) throws(MongoError) -> Result {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: size)
        defer { memory.deallocate() }
        let reply = OpaquePointer(memory)
        bson_init(reply)
        defer { bson_destroy(reply) }
        return try body(reply)
    }

    /// The bytes of a document of C's, copied once, unchecked.
    static func bytes(_ bson: OpaquePointer) -> [UInt8] {
        Array(lentBytes(bson))
    }

    /// The bytes of a document where C has them, unchecked. They are there as long as the document is.
    static func lentBytes(_ bson: OpaquePointer) -> UnsafeBufferPointer<UInt8> {
        guard let start = bson_get_data(bson) else { return UnsafeBufferPointer(start: nil, count: 0) }
        let length = UnsafeRawPointer(start).loadUnaligned(as: Int32.self)
        return UnsafeBufferPointer(start: start, count: Int(Int32(littleEndian: length)))
    }

    /// A document of C's in two parts: a copy of all but one binary field, unchecked, and the bytes of that field where C has
    /// them, which are there as long as the document is; `nil` when there is no binary field of that name.
    static func parts(_ bson: OpaquePointer, apart field: String) -> (rest: [UInt8], bytes: UnsafeRawBufferPointer?) {
        let whole = lentBytes(bson)
        var (start, end, count) = (UInt32(0), UInt32(0), UInt32(0))
        var bytes: UnsafePointer<UInt8>?
        guard mongo_find_binary(bson, field, &start, &end, &bytes, &count) else { return (Array(whole), nil) }
        let (head, tail) = (whole[4..<Int(start)], whole[Int(end)...])
        var rest: [UInt8] = []
        rest.reserveCapacity(4 + head.count + tail.count)
        withUnsafeBytes(of: Int32(4 + head.count + tail.count).littleEndian) { rest.append(contentsOf: $0) }
        rest.append(contentsOf: head)
        rest.append(contentsOf: tail)
        return (rest, UnsafeRawBufferPointer(start: bytes, count: Int(count)))
    }
}
