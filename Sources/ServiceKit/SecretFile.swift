#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// A file that holds a secret, as Docker and Kubernetes hand them to a container.
enum SecretFile {
    /// The most bytes of a secret; a connection string with many hosts has some hundred.
    static let maxBytes = 65_536

    /// Reads it.
    ///
    /// - Parameters:
    ///   - path: Where it is.
    ///   - variable: The setting that says so, for errors.
    /// - Returns: What is in it, without one line break at the end.
    /// - Throws: ``SettingError`` that names the variable and the path, and never what is in the file.
    static func read(_ path: String, for variable: String) throws(SettingError) -> String {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw SettingError(
                variable,
                reason: "the file \(path) cannot be read. It has to be there, and this user may have to be let in")
        }
        guard data.count <= maxBytes, var text = String(validating: data, as: UTF8.self) else {
            throw SettingError(variable, reason: "the file \(path) is no text of at most \(maxBytes) bytes")
        }
        if text.unicodeScalars.last == "\n" { text.unicodeScalars.removeLast() }
        if text.unicodeScalars.last == "\r" { text.unicodeScalars.removeLast() }
        guard !text.isEmpty else {
            throw SettingError(variable, reason: "the file \(path) is empty. Put the secret into it")
        }
        return text
    }
}
