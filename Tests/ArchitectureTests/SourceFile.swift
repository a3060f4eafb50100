import Foundation

/// A source file of the package.
struct SourceFile {
    /// The target: the folder below `Sources` or `Tests`.
    var target: String
    /// The path below the target's folder.
    var path: String
    var text: String

    /// Every Swift file of every target below a folder of the package.
    static func all(below folder: String) throws -> [SourceFile] {
        let base = packageRoot.appendingPathComponent(folder, isDirectory: true).path
        let paths = try FileManager.default.subpathsOfDirectory(atPath: base).sorted()
        return try paths.filter { $0.hasSuffix(".swift") }.map { path in
            let parts = path.split(separator: "/", maxSplits: 1).map(String.init)
            return SourceFile(
                target: parts[0], path: parts.count > 1 ? parts[1] : "",
                text: try String(contentsOfFile: "\(base)/\(path)", encoding: .utf8))
        }
    }

    /// The folders below a folder of the package, as paths from there.
    static func folders(below folder: String) throws -> [String] {
        let base = packageRoot.appendingPathComponent(folder, isDirectory: true).path
        return try FileManager.default.subpathsOfDirectory(atPath: base).sorted().filter { path in
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(base)/\(path)", isDirectory: &isDirectory)
                && isDirectory.boolValue
        }
    }

    /// Where Package.swift lies: this file is `Tests/ArchitectureTests/SourceFile.swift` below it.
    private static let packageRoot = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
}
