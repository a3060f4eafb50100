import Domain

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The directory below which a filesystem provider keeps its blobs. All calls block.
struct StorageRoot: Sendable {
    /// The path as it was configured.
    let path: String
    /// The path without symbolic links, as it was at the start, with a `/` at its end.
    private let prefix: [CChar]

    /// Takes a directory that exists.
    ///
    /// - Throws: `invalidArgument` with the remedy when there is none.
    init(path: String) throws(ServiceError) {
        self.path = path
        do {
            prefix = try Self.realPrefix(of: path)
        } catch {
            throw ServiceError(
                .invalidArgument,
                "The storage directory \"\(path)\" cannot be used: it has to be a directory that exists and that the "
                    + "storage worker may enter.",
                cause: error)
        }
    }

    /// The path at which the blob of a location is looked for.
    func path(of location: StorageKey) -> String {
        "\(path)/\(location)"
    }

    /// Whether an open file lies below the root, symbolic links followed.
    ///
    /// Where the root was reached through a symbolic link that points elsewhere by now, the new place counts.
    func contains(_ file: borrowing OpenFile) throws(SystemCallFailure) -> Bool {
        if try file.lies(below: prefix) { return true }
        let current = try Self.realPrefix(of: path)
        guard current != prefix else { return false }
        return try file.lies(below: current)
    }

    /// Whether the directory is there at all.
    func exists() -> Bool {
        (try? Self.realPrefix(of: path)) != nil
    }

    private static func realPrefix(of path: String) throws(SystemCallFailure) -> [CChar] {
        // With "/." at its end the path resolves only when it is a directory that may be entered.
        guard let resolved = realpath("\(path)/.", nil) else {
            throw SystemCallFailure(call: "realpath", number: errno)
        }
        defer { free(resolved) }
        let bytes = Array(UnsafeBufferPointer(start: resolved, count: strlen(resolved)))
        let slash = CChar(UInt8(ascii: "/"))
        return bytes.last == slash ? bytes : bytes + [slash]
    }
}
