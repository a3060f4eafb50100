import Domain

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Walks a directory in the order of the paths' bytes, from any place on, up to a number of files. Blocks.
///
/// Symbolic links are left out: what they lead to is found where it is. So are names that are no part of a storage key. A
/// walk reads the names of each directory on its way at once, which bounds its memory by the largest directory.
struct BlobWalk {
    /// What a walk found.
    struct File {
        let location: StorageKey
        let status: stat
    }

    private let start: String?
    private let limit: Int
    private let mark: CancellationMark
    /// What was found, in order.
    private(set) var files: [File] = []
    /// Whether there is more behind the last one.
    private(set) var isCut = false

    /// Prepares a walk.
    ///
    /// - Parameters:
    ///   - start: The path behind which to begin; `nil` for the beginning.
    ///   - limit: How many files to find.
    ///   - mark: Ends the walk.
    init(after start: String?, limit: Int, mark: CancellationMark) {
        self.start = start
        self.limit = limit
        self.mark = mark
    }

    /// Walks a directory.
    mutating func run(in folder: Folder) throws {
        try walk(folder, prefix: "")
    }

    private mutating func walk(_ folder: Folder, prefix: String) throws {
        try mark.check()
        var candidates: [(name: String, path: String, status: stat?)] = []
        for name in try folder.names() where !StorageRoot.reserves(name) {
            // Whether it is a directory decides on its place: `a/b` comes after `a-b`.
            guard mayHoldMore(prefix + name), let status = try folder.status(of: name) else { continue }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: candidates.append((name, prefix + name + "/", nil))
            case S_IFREG: candidates.append((name, prefix + name, status))
            default: break
            }
        }
        candidates.sort { Self.isBefore($0.path, $1.path) }
        for candidate in candidates where !isCut {
            if let status = candidate.status {
                take(candidate.path, status)
            } else if isAhead(folder: candidate.path) {
                try enter(candidate.name, of: folder, prefix: candidate.path)
            }
        }
    }

    private mutating func take(_ path: String, _ status: stat) {
        if let start, !Self.isBefore(start, path) { return }
        guard let location = try? StorageKey(path) else { return }
        guard files.count < limit else {
            isCut = true
            return
        }
        files.append(File(location: location, status: status))
    }

    private mutating func enter(_ name: String, of folder: Folder, prefix: String) throws {
        guard prefix.utf8.count < StorageKey.maxBytes else { return }
        do {
            let next = try Folder(name, in: folder)
            try walk(next, prefix: prefix)
        } catch let failure as SystemCallFailure {
            // Gone since its name was read.
            guard [ENOENT, ENOTDIR].contains(failure.number) else { throw failure }
        }
    }

    /// Whether a name may stand for something behind the start, as a file or as a directory: a look at it is saved if not.
    private func mayHoldMore(_ path: String) -> Bool {
        isAhead(folder: path + "/") || start.map { Self.isBefore($0, path) } ?? true
    }

    private func isAhead(folder path: String) -> Bool {
        guard let start else { return true }
        return start.utf8.starts(with: path.utf8) || Self.isBefore(start, path)
    }

    private static func isBefore(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}
