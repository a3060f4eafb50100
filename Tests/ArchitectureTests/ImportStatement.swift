/// One `import` of a source file, in any of the ways in which Swift lets it be written.
struct ImportStatement: Equatable {
    /// The module, without what is chosen from it.
    var module: String
    /// The access level as it is written; `nil` where none is.
    var access: String?
    /// Whether internal names of the module are seen, too.
    var isTestable = false
    /// Whether it counts only where there is no FoundationEssentials.
    var isFoundationFallback = false

    private static let accessLevels: Set<String> = ["public", "package", "internal", "fileprivate", "private"]
    private static let kinds: Set<String> = ["typealias", "struct", "class", "enum", "protocol", "let", "var", "func"]

    /// Finds every import, also those that a condition of the compiler leaves out here.
    static func all(in source: String) -> [ImportStatement] {
        let tokens = SwiftTokens(source).tokens
        var conditions: [Condition] = []
        var statements: [ImportStatement] = []
        for (index, token) in tokens.enumerated() {
            switch token {
            case "#if":
                conditions.append(Condition(text: tokens[(index + 1)...].prefix { $0 != "\n" }.joined()))
            case "#elseif":
                if !conditions.isEmpty { conditions[conditions.count - 1].branch = .elseif }
            case "#else":
                if !conditions.isEmpty { conditions[conditions.count - 1].branch = .else }
            case "#endif":
                _ = conditions.popLast()
            case "import":
                guard var statement = statement(at: index, in: tokens) else { continue }
                statement.isFoundationFallback = conditions.contains {
                    $0.text == "canImport(FoundationEssentials)" && $0.branch == .else
                }
                statements.append(statement)
            default:
                break
            }
        }
        return statements
    }

    private static func statement(at index: Int, in tokens: [String]) -> ImportStatement? {
        // `.import`, `` `import` `` and `import:` are names, not statements.
        let before = tokens[..<index].last
        guard before != ".", before != "`" else { return nil }
        var rest = tokens[(index + 1)...].drop { $0 == "\n" }
        if let kind = rest.first, kinds.contains(kind) { rest = rest.dropFirst() }
        guard let module = rest.first, module != ":" else { return nil }
        var statement = ImportStatement(module: module)
        for token in tokens[..<index].reversed() {
            if accessLevels.contains(token) {
                statement.access = token
            } else if token == "testable" {
                statement.isTestable = true
            } else if !["\n", "@", "preconcurrency", "_exported", "_implementationOnly", "_spi", "(", ")"].contains(
                token)
            {
                break
            }
        }
        return statement
    }

    private struct Condition {
        enum Branch {
            case `if`
            case `elseif`
            case `else`
        }

        var text: String
        var branch = Branch.if
    }
}
