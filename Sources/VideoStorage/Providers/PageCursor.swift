/// Where the next page of a listing begins. It is opaque, and of use only to the provider, and for the call, that gave it.
struct PageCursor: Sendable, Hashable, CustomStringConvertible {
    /// The cursor as text.
    let description: String

    /// Takes a cursor as a provider gave it.
    init(_ text: String) {
        description = text
    }
}
