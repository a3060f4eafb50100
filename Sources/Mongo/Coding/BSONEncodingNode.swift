/// A value that is being encoded. A class, because `Codable` hands out nested containers that outlive the call.
final class BSONEncodingNode {
    enum Content {
        /// Nothing has been encoded yet.
        case none
        case value(BSON)
        case fields([(String, BSONEncodingNode)])
        case elements([BSONEncodingNode])
    }

    private(set) var content = Content.none

    func set(_ value: BSON) {
        content = .value(value)
    }

    func becomeFields() {
        if case .fields = content { return }
        content = .fields([])
    }

    func becomeElements() {
        if case .elements = content { return }
        content = .elements([])
    }

    var count: Int {
        if case .elements(let elements) = content { elements.count } else { 0 }
    }

    /// The node of a field; setting a field twice keeps its place and the later value, as a dictionary would.
    func field(_ name: String) -> BSONEncodingNode {
        let node = BSONEncodingNode()
        guard case .fields(var fields) = content else { return node }
        content = .none  // so that the array is not shared while it grows
        if let index = fields.firstIndex(where: { $0.0 == name }) {
            fields[index].1 = node
        } else {
            fields.append((name, node))
        }
        content = .fields(fields)
        return node
    }

    func element() -> BSONEncodingNode {
        let node = BSONEncodingNode()
        guard case .elements(var elements) = content else { return node }
        content = .none
        elements.append(node)
        content = .elements(elements)
        return node
    }

    func write(to writer: inout BSONWriter, name: String) throws(BSONError) {
        switch content {
        case .none:
            // A type that encodes nothing at all, such as an enum case without values, is an empty document.
            try writer.append(name, .document(BSONDocument()))
        case .value(let value):
            try writer.append(name, value)
        case .fields(let fields):
            let start = try writer.begin(name, .document)
            for (name, node) in fields {
                try node.write(to: &writer, name: name)
            }
            try writer.end(start)
        case .elements(let elements):
            let start = try writer.begin(name, .array)
            for (index, node) in elements.enumerated() {
                try node.write(to: &writer, name: String(index))
            }
            try writer.end(start)
        }
    }
}
