#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A directory that is open, so that what is done in it is done there, wherever its path leads by then. Closed when the
/// value goes away. All calls block.
final class Folder {
    /// Readable by its owner alone: what is kept there is for the workers.
    private static let mode: mode_t = 0o700

    let descriptor: Int32

    /// Opens the directory at a path.
    init(path: String) throws(SystemCallFailure) {
        descriptor = try retryingWhenInterrupted("open") { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    }

    /// Opens a directory in another one; a symbolic link is followed.
    init(_ name: String, in parent: Folder) throws(SystemCallFailure) {
        let parent = parent.descriptor
        descriptor = try retryingWhenInterrupted("openat") {
            openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
    }

    deinit {
        close(descriptor)
    }

    /// Makes a directory unless something of that name is there. The name is durable when it returns.
    func make(_ name: String) throws(SystemCallFailure) {
        do {
            _ = try retryingWhenInterrupted("mkdirat") { mkdirat(descriptor, name, Self.mode) }
        } catch {
            // Made by another one at this moment, who may not have come to make it durable.
            guard error.number == EEXIST else { throw error }
        }
        try sync()
    }

    /// Gives a file of this directory a second name, in another one of the same file system. Nothing is replaced.
    ///
    /// - Throws: `EEXIST` when the name is taken.
    func link(_ name: String, to newName: String, in target: Folder) throws(SystemCallFailure) {
        let target = target.descriptor
        _ = try retryingWhenInterrupted("linkat") { linkat(descriptor, name, target, newName, 0) }
    }

    /// Takes a name away.
    ///
    /// - Returns: Whether it was there.
    @discardableResult
    func remove(_ name: String) throws(SystemCallFailure) -> Bool {
        do {
            _ = try retryingWhenInterrupted("unlinkat") { unlinkat(descriptor, name, 0) }
            return true
        } catch {
            if error.number == ENOENT { return false }
            throw error
        }
    }

    /// What is at a name, without following a symbolic link; `nil` when nothing is.
    func status(of name: String) throws(SystemCallFailure) -> stat? {
        var status = stat()
        do {
            _ = try retryingWhenInterrupted("fstatat") { fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) }
            return status
        } catch {
            // A name that is too long is no file's.
            if error.number == ENOENT || error.number == ENAMETOOLONG { return nil }
            throw error
        }
    }

    /// The names in it that are UTF-8, in no order, without `.` and `..`.
    func names() throws(SystemCallFailure) -> [String] {
        // The stream takes over its descriptor and moves its offset: it gets one of its own.
        let own = try retryingWhenInterrupted("openat") { openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard let stream = fdopendir(own) else {
            let number = errno
            close(own)
            throw SystemCallFailure(call: "fdopendir", number: number)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                let number = errno
                guard number == 0 else { throw SystemCallFailure(call: "readdir", number: number) }
                return names
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: pointer.pointee)) {
                    String(validatingCString: $0)
                }
            }
            if let name, name != ".", name != ".." { names.append(name) }
        }
    }

    /// Makes what was done to names in it durable.
    func sync() throws(SystemCallFailure) {
        _ = try retryingWhenInterrupted("fsync") { fsync(descriptor) }
    }
}
