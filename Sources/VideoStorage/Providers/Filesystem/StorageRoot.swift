import Domain

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The directory below which a filesystem provider keeps its blobs. All calls block.
struct StorageRoot: Sendable {
    /// Names that begin so are Millrace's own: the folder of uploads, and the files that `millrace import` is writing. They
    /// are no blobs.
    private static let reservedPrefix = ".millrace-"
    /// The folder in which uploads are gathered, on the same file system as the blobs.
    static let uploadsFolder = ".millrace-uploads"

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

    /// Whether a location is not for blobs.
    func reserves(_ location: StorageKey) -> Bool {
        location.parts.contains(where: Self.reserves)
    }

    /// Whether a name is not for blobs.
    static func reserves(_ name: some StringProtocol) -> Bool {
        name.utf8.starts(with: reservedPrefix.utf8)
    }

    /// Whether what is open lies below the root, symbolic links followed, and among the blobs.
    ///
    /// The kernel is asked for the path of the open file itself, so that nothing can be exchanged between the check and the
    /// use. Where the root was reached through a symbolic link that points elsewhere by now, the new place counts.
    ///
    /// - Returns: `false` also for a file whose path the kernel cannot give from here.
    /// - Throws: When the kernel cannot be asked, which is so where `/proc` is not mounted.
    func contains(_ descriptor: Int32) throws(SystemCallFailure) -> Bool {
        if try Self.isBlob(descriptor, below: prefix) { return true }
        let current = try Self.realPrefix(of: path)
        guard current != prefix else { return false }
        return try Self.isBlob(descriptor, below: current)
    }

    /// Whether the directory is there at all.
    func exists() -> Bool {
        (try? Self.realPrefix(of: path)) != nil
    }

    private static func isBlob(_ descriptor: Int32, below prefix: [CChar]) throws(SystemCallFailure) -> Bool {
        let reserved = reservedPrefix.utf8.map { CChar(bitPattern: $0) }
        // `readlink` fills what it is given and says nothing of the rest: only the beginning matters here.
        var beginning = [CChar](repeating: 0, count: prefix.count + reserved.count)
        let link = "/proc/self/fd/\(descriptor)"
        let count = try retryingWhenInterrupted("readlink") { readlink(link, &beginning, beginning.count) }
        guard count > prefix.count, beginning.starts(with: prefix) else { return false }
        return !beginning[prefix.count..<count].starts(with: reserved)
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
