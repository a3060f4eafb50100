/// How often what happened.
final class Tally: Sendable {
    private let counts = Shared<[String: Int]>([:])

    func note(_ what: String) { counts.change { $0[what, default: 0] += 1 } }

    func count(_ what: String) -> Int { counts.value[what] ?? 0 }

    /// All of it, in alphabetical order.
    var text: String { counts.value.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ") }
}
