/// A name with its value, in the query of a request.
struct HTTPQueryItem: Sendable, Equatable {
    /// The name.
    let name: String
    /// The value; may be empty.
    let value: String

    /// Puts a pair together.
    init(_ name: String, _ value: String = "") {
        self.name = name
        self.value = value
    }
}
