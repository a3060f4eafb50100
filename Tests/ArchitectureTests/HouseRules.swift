/// Who may import whom: the table of the house in ARCHITECTURE.md, as code.
enum HouseRules {
    /// What one target may import of this package's modules, and of those that are kept to one place.
    struct Allowance {
        /// Allowed in every file.
        var anywhere: Set<String> = []
        /// Allowed in these files (`Name.swift`) and folders (`Name/`) alone.
        var confined: [String: [String]] = [:]
    }

    /// Every target below Sources.
    static let table: [String: Allowance] = [
        "CRabbitMQ": Allowance(), "CMongoC": Allowance(), "CISAL": Allowance(), "CLinux": Allowance(),
        "Domain": Allowance(),
        "AMQP": Allowance(anywhere: ["CRabbitMQ"]),
        "Mongo": Allowance(anywhere: ["CMongoC"]),
        "RPC": Allowance(anywhere: ["Domain"], confined: ["AMQP": ["Transport/AMQP/", "Events/"]]),
        "Contracts": Allowance(anywhere: ["Domain", "RPC", "CISAL"]),
        "ServiceKit": Allowance(
            confined: [
                "CLinux": ["FreedMemory.swift"],
                "NIOPosix": ["Health/HealthInquiry.swift", "Metrics/MetricsRegistry+HTTP.swift"],
            ]),
        "VideoStreaming": Allowance(
            anywhere: ["Domain", "Contracts", "ServiceKit"],
            confined: [
                "RPC": ["VideoStreaming.swift"], "AMQP": ["VideoStreaming.swift"],
                "CLinux": ["Delivery/ChunkMemory.swift"],
            ]),
        "VideoMetadata": Allowance(
            anywhere: ["Domain", "Contracts", "RPC", "ServiceKit"],
            confined: ["AMQP": ["VideoMetadata.swift"], "Mongo": ["Repository/", "VideoMetadata.swift"]]),
        "VideoStorage": Allowance(
            anywhere: ["Domain", "Contracts", "RPC", "ServiceKit"],
            confined: [
                "AMQP": ["VideoStorage.swift"], "Mongo": ["Catalogue/", "Providers/GridFS/", "VideoStorage.swift"],
                "NIOPosix": ["Providers/Filesystem/BlockingThreads.swift"],
                "AsyncHTTPClient": ["Providers/HTTP/ReplyCollector.swift", "Providers/HTTP/ServiceConnections.swift"],
            ]),
        "MillraceCLI": Allowance(
            anywhere: ["Domain", "Contracts", "RPC", "AMQP", "ServiceKit"],
            confined: [
                "NIOPosix": ["Gateway/FileBytes.swift"], "AsyncHTTPClient": ["Gateway/GatewayClient.swift"],
            ]),
        "RPCBenchmark": Allowance(anywhere: ["Domain", "RPC", "AMQP"]),
    ]

    /// C, which may show in no public signature.
    private static let foreign: Set<String> = ["CRabbitMQ", "CMongoC", "CISAL", "CLinux"]
    /// Modules of other packages that are allowed only where the table names them.
    private static let restricted: Set<String> = ["NIOPosix", "AsyncHTTPClient"]
    /// What brings ICU's data into a static binary, most of its size.
    private static let fullFoundation: Set<String> = ["Foundation", "FoundationNetworking", "FoundationXML"]
    /// A tool of the operator, not a service: its size does not matter.
    private static let mayUseFullFoundation: Set<String> = ["MillraceCLI"]

    private static let forbiddenFolders: Set<String> = ["utils", "util", "helpers", "helper", "common", "misc", "new"]
    static let maxLines = 400

    /// What is wrong with the imports of a file below Sources.
    static func faults(of file: SourceFile) -> [String] {
        guard let allowance = table[file.target] else { return ["the target \(file.target) is not in the table"] }
        return ImportStatement.all(in: file.text).compactMap { statement in
            fault(of: statement, in: file, allowance).map { "\(file.target)/\(file.path): \($0)" }
        }
    }

    private static func fault(
        of statement: ImportStatement, in file: SourceFile, _ allowance: Allowance
    ) -> String? {
        let module = statement.module
        if statement.isTestable { return "a product must not import \(module) as @testable" }
        if fullFoundation.contains(module), !mayUseFullFoundation.contains(file.target), !statement.isFoundationFallback
        {
            return "\(module) is only for where there is no FoundationEssentials"
        }
        guard isRuled(module) else { return nil }
        if foreign.contains(module), !["internal", "fileprivate", "private"].contains(statement.access) {
            return "\(module) must be imported as internal"
        }
        if allowance.anywhere.contains(module) { return nil }
        guard let places = allowance.confined[module] else { return "\(file.target) must not import \(module)" }
        let isInPlace = places.contains { $0.hasSuffix("/") ? file.path.hasPrefix($0) : file.path == $0 }
        return isInPlace ? nil : "\(module) is only for \(places.joined(separator: " and "))"
    }

    private static func isRuled(_ module: String) -> Bool {
        table[module] != nil || restricted.contains(module) || module == "TestKit" || module.hasSuffix("Tests")
    }

    /// What is wrong with the length of a file.
    static func lengthFault(of file: SourceFile) -> String? {
        let lines = file.text.utf8.count { $0 == UInt8(ascii: "\n") }
        return lines > maxLines ? "\(file.target)/\(file.path) has \(lines) lines" : nil
    }

    /// Whether a folder's name says nothing of what is in it.
    static func isMeaningless(folder: String) -> Bool {
        folder.split(separator: "/").contains { forbiddenFolders.contains($0.lowercased()) }
    }

    /// Where a tuple is returned that is made around a `try`. Swift 6.3.1 may lose the other elements of such a tuple when
    /// it optimizes, and says nothing: a debug build is right, a release build returns garbage.
    static func tupleFaults(of file: SourceFile) -> [String] {
        let tokens = SwiftTokens(file.text).tokens.filter { $0 != "\n" }
        let starts = tokens.indices.dropFirst().filter { index in
            tokens[index] == "(" && ["return", "in", "{"].contains(tokens[index - 1])
        }
        return starts.filter { isTupleAroundTry(tokens[$0...]) }.map { start in
            let words = tokens[start...].prefix(8).joined(separator: " ")
            return "\(file.target)/\(file.path): a tuple is returned around a try: \(words) …"
        }
    }

    /// Where a closure lies in a `Mutex` by itself. Swift 6.3.1 wraps it anew each time it is read, and puts the wrapped one
    /// back; called after enough reads, it overflows the stack. In a structure of its own it stays as it is.
    static func mutexFaults(of file: SourceFile) -> [String] {
        let tokens = SwiftTokens(file.text).tokens.filter { $0 != "\n" }
        let starts = tokens.indices.filter { tokens[$0...].starts(with: ["Mutex", "<"]) }
        return starts.filter { isClosure(tokens[($0 + 2)...]) }.map { start in
            "\(file.target)/\(file.path): a closure in a Mutex: \(tokens[start...].prefix(8).joined(separator: " ")) …"
        }
    }

    /// Whether the first argument of a generic type is a closure.
    private static func isClosure(_ tokens: ArraySlice<String>) -> Bool {
        var depth = 0
        for (token, next) in zip(tokens, tokens.dropFirst()) {
            switch token {
            case "(", "[", "{": depth += 1
            case ")", "]", "}": depth -= 1
            default: break
            }
            if token == "-", next == ">" { return true }
            if token == "->" { return true }
            if depth <= 0, token == ">" || token == "," { return false }
        }
        return false
    }

    private static func isTupleAroundTry(_ tokens: ArraySlice<String>) -> Bool {
        var depth = 0
        var (hasComma, hasTry) = (false, false)
        for token in tokens {
            switch token {
            case "(", "[", "{": depth += 1
            case ")", "]", "}": depth -= 1
            case ",": hasComma = hasComma || depth == 1
            case "try": hasTry = true
            default: break
            }
            if depth == 0 { break }
        }
        return hasComma && hasTry
    }
}
