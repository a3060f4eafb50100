/// Text from outside in a form that is safe in a log: one line, no control characters, nothing that turns the direction
/// of writing, and no longer than it needs to be.
struct PrintableText: CustomStringConvertible {
    /// The text with every other character escaped as `\u{…}`.
    let description: String

    /// Enough for every valid key, even when it is escaped in part.
    private static let maxScalars = 2_048

    /// Takes any text.
    init(_ text: String) {
        var result = ""
        for scalar in text.unicodeScalars.prefix(Self.maxScalars) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
                result += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            default:
                result.unicodeScalars.append(scalar)
            }
        }
        description = result
    }
}
