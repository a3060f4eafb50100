/// An index to make with ``MongoCollection/createIndexes(_:deadline:)``.
public struct MongoIndex: Hashable, Sendable {
    /// The fields in their order: 1 for ascending, -1 for descending, `"text"`, ….
    public var keys: BSONDocument
    /// The name; by default the server's own way: `title_1_size_-1`.
    public var name: String
    /// Whether no two documents may have the same key.
    public var isUnique: Bool
    /// Whether documents without the field are left out.
    public var isSparse: Bool
    /// Which documents are indexed; nil for all.
    public var partialFilter: BSONDocument?
    /// How long after the date in the field a document is removed; nil for never. The server looks once a minute.
    public var expireAfterSeconds: Int32?

    /// An index.
    public init(
        _ keys: BSONDocument, name: String? = nil, isUnique: Bool = false, isSparse: Bool = false,
        partialFilter: BSONDocument? = nil, expireAfterSeconds: Int32? = nil
    ) {
        self.keys = keys
        self.name = name ?? Self.defaultName(keys)
        self.isUnique = isUnique
        self.isSparse = isSparse
        self.partialFilter = partialFilter
        self.expireAfterSeconds = expireAfterSeconds
    }

    /// What the server takes; options that are off are left out, since it would store them and then see a difference.
    var specification: BSONDocument {
        var fields: [(String, BSON)] = [("key", .document(keys)), ("name", .string(name))]
        if isUnique { fields.append(("unique", true)) }
        if isSparse { fields.append(("sparse", true)) }
        if let partialFilter { fields.append(("partialFilterExpression", .document(partialFilter))) }
        if let expireAfterSeconds { fields.append(("expireAfterSeconds", .int32(expireAfterSeconds))) }
        return BSONDocument(literal: fields)
    }

    private static func defaultName(_ keys: BSONDocument) -> String {
        keys.map { field in
            let direction = field.value.integerValue.map { "\($0)" } ?? field.value.stringValue ?? field.value.typeName
            return "\(field.name)_\(direction)"
        }.joined(separator: "_")
    }
}
