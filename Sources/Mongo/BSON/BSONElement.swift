/// Where one field of a document is: its name, its type, and the bytes of its value.
struct BSONElement: Sendable {
    let name: String
    let type: BSONType
    let value: Range<Int>
}
