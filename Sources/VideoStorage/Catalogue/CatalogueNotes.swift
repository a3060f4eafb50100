import Domain
import RPC

/// What is written in the same update as a change of an entry.
struct CatalogueNotes: Sendable {
    /// The blob that the change leaves behind.
    var retired: RetiredBlob?
    /// The fact that others shall be told; kept with the entry until the broker has it.
    var event: Event?

    /// Nothing beside the entry.
    static let none = CatalogueNotes()

    /// Notes a blob and a fact.
    init(retired: RetiredBlob? = nil, event: Event? = nil) {
        self.retired = retired
        self.event = event
    }
}
