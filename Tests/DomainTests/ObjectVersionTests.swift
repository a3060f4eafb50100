import Domain
import Testing

struct ObjectVersionTests {
    @Test(arguments: ["1", "a-b_c.D9", String(repeating: "v", count: 128)])
    func aPlainWordIsAVersion(text: String) {
        #expect(ObjectVersion(text)?.description == text)
    }

    @Test(arguments: ["", "a b", "\"", "a\"b", "ü", "a/b", "a\n", String(repeating: "v", count: 129)])
    func whatDoesNotFitAnEntityTagIsNone(text: String) {
        #expect(ObjectVersion(text) == nil)
    }
}
