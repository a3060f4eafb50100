/// What came of an attempt to change the catalogue.
enum CatalogueChange: Sendable, Equatable {
    /// The entry is there now, put by this call.
    case put
    /// Another one was first; this is what the catalogue says. It may be the same entry, put by another caller.
    case found(CatalogueEntry)
}
