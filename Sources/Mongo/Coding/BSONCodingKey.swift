/// A coding key for a position in an array, or for `super`.
struct BSONCodingKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ index: Int) {
        stringValue = String(index)
        intValue = index
    }

    init(stringValue: String) {
        self.stringValue = stringValue
        intValue = nil
    }

    init?(intValue: Int) {
        self.init(intValue)
    }

    static let `super` = BSONCodingKey(stringValue: "super")
}

/// Writes a coding path as MongoDB writes fields: `pendingEvents.0.id`.
func fieldPath(_ path: [any CodingKey]) -> String {
    path.map(\.stringValue).joined(separator: ".")
}
