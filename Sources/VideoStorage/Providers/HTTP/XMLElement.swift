/// An element of an XML document: its name, its text and the elements in it. Attributes are not kept; the answers of storage
/// services say everything in elements.
struct XMLElement: Sendable, Equatable {
    /// The name without a prefix.
    var name: String
    /// The text between its tags that is not in another element.
    var text = ""
    /// The elements in it, in order.
    var children: [XMLElement] = []

    /// The first element of that name in it.
    subscript(name: String) -> XMLElement? {
        children.first { $0.name == name }
    }

    /// All elements of that name in it.
    func all(_ name: String) -> [XMLElement] {
        children.filter { $0.name == name }
    }
}
