/// The calls of the provider contract, by their names in metrics.
enum ProviderCall: String, Sendable, CaseIterable {
    case stat
    case read
    case begin
    case stage
    case commit
    case abort
    case delete
    case list
    case uploads

    /// Whether bytes travel with it, so that what arrived damaged may arrive whole the next time.
    var movesBytes: Bool { self == .read || self == .stage }
}
