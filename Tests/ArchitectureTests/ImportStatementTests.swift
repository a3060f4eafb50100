import Testing

@Suite struct ImportStatementTests {
    @Test(arguments: [
        ("import AMQP", ImportStatement(module: "AMQP")),
        ("internal import AMQP", ImportStatement(module: "AMQP", access: "internal")),
        ("package import AMQP", ImportStatement(module: "AMQP", access: "package")),
        ("public import struct AMQP.Message", ImportStatement(module: "AMQP", access: "public")),
        ("import func AMQP.publish", ImportStatement(module: "AMQP")),
        ("import AMQP.Messages", ImportStatement(module: "AMQP")),
        ("@testable import AMQP", ImportStatement(module: "AMQP", isTestable: true)),
        ("@preconcurrency import AMQP", ImportStatement(module: "AMQP")),
        (
            "@preconcurrency @testable internal import AMQP",
            ImportStatement(module: "AMQP", access: "internal", isTestable: true)
        ),
        ("@preconcurrency\nimport AMQP", ImportStatement(module: "AMQP")),
        ("@_spi(Testing) public import AMQP", ImportStatement(module: "AMQP", access: "public")),
        ("  \timport\tAMQP  // why", ImportStatement(module: "AMQP")),
        ("import /* oh */ AMQP", ImportStatement(module: "AMQP")),
        ("import\n    AMQP", ImportStatement(module: "AMQP")),
        ("let line = 1; import AMQP; let other = 2", ImportStatement(module: "AMQP")),
        ("let text = \"\\(name(\"a\"))\"\nimport AMQP", ImportStatement(module: "AMQP")),
        ("import AMQP\r\nlet a = 1", ImportStatement(module: "AMQP")),
        ("// one line\r\nimport AMQP", ImportStatement(module: "AMQP")),
        ("let quote = /\"/\nimport AMQP", ImportStatement(module: "AMQP")),
    ])
    func everySpellingIsSeen(_ source: String, _ expected: ImportStatement) {
        #expect(ImportStatement.all(in: source) == [expected])
    }

    @Test(arguments: [
        "// import AMQP", "/// import AMQP", "/* import AMQP */", "/* /* nested */ import AMQP */",
        "let text = \"import AMQP\"", "let text = \"\"\"\n    import AMQP\n    \"\"\"",
        "let text = #\"a \" import AMQP\"#", "let text = \"a \\\" import AMQP\"",
        "#if os(Linux)\n#endif", "command.import(AMQP)", "call(import: AMQP)", "enum Verb { case `import` }",
        "let imports = AMQP",
    ])
    func whatOnlyLooksLikeAnImportIsNotOne(_ source: String) {
        #expect(ImportStatement.all(in: source).isEmpty)
    }

    @Test func theFallbackToFoundationIsKnownByItsCondition() {
        let source = """
            #if canImport(FoundationEssentials)
                import FoundationEssentials
            #else
                import Foundation
            #endif
            #if canImport(Glibc)
                import Glibc
            #else
                import Foundation
            #endif
            import Foundation
            """
        let found = ImportStatement.all(in: source)
        #expect(found.map(\.module) == ["FoundationEssentials", "Foundation", "Glibc", "Foundation", "Foundation"])
        #expect(found.map(\.isFoundationFallback) == [false, true, false, false, false])
    }

    @Test func anElseIfIsNoFallback() {
        let source = """
            #if canImport(FoundationEssentials)
            #elseif os(Linux)
                import Foundation
            #endif
            """
        #expect(ImportStatement.all(in: source) == [ImportStatement(module: "Foundation")])
    }
}
