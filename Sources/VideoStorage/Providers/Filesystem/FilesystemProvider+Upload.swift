import Domain
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Uploads: gathered in a ``PartFile`` below ``StorageRoot/uploadsFolder``, which gets the blob's name when it is whole.
extension FilesystemProvider {
    func begin(
        _ location: StorageKey,
        contentType: String?,
        deadline: Deadline
    ) async throws(ServiceError) -> UploadHandle {
        try await writing(location, deadline: deadline) { mark in
            let blobs = try Self.inTheWay(location) { try folder(of: location, making: true) }
            guard try blobs?.status(of: location.leaf) == nil else {
                throw ServiceError(.conflict, "There is an object at \"\(location)\" already.")
            }
            try mark.check()
            let parts = try Self.inTheWay(location) { try partsFolder(of: location, making: true) }
            guard let parts else { throw Self.noUpload(to: location) }
            try Self.inTheWay(location) { try PartFile.create(location.leaf, in: parts, mark: mark) }
            return .none
        }
    }

    func stage(
        _ handle: UploadHandle,
        at location: StorageKey,
        index: Int,
        bytes: ByteBuffer,
        deadline: Deadline
    ) async throws(ServiceError) -> String {
        try limits.check(index: index, byteCount: bytes.readableBytes)
        return try await writing(location, deadline: deadline) { mark in
            guard let parts = try partsFolder(of: location), let part = try Self.part(location.leaf, in: parts) else {
                throw Self.noUpload(to: location)
            }
            try part.lock(exclusively: false, mark: mark)
            guard try part.isCurrent(location.leaf, in: parts), try !part.isSealed() else {
                throw Self.noUpload(to: location)
            }
            return try part.keep(bytes, index: index, turn: turns.turn(at: location), mark: mark)
        }
    }

    func commit(
        _ handle: UploadHandle,
        at location: StorageKey,
        blocks: [StagedBlock],
        contentType: String?,
        deadline: Deadline
    ) async throws(ServiceError) -> BlobFacts {
        let total = try limits.totalBytes(of: blocks)
        return try await writing(location, deadline: deadline) { mark in
            let parts = try partsFolder(of: location)
            if let parts, let part = try Self.part(location.leaf, in: parts) {
                try part.lock(exclusively: true, mark: mark)
                if try part.isCurrent(location.leaf, in: parts), try !isThere(location) {
                    try part.seal(blocks, totalBytes: total, mark: mark)
                    try publish(location, from: parts)
                }
            }
            // Published by this call, or by another one before it, which may have died before the name was durable.
            guard let facts = try committed(location) else { throw Self.noUpload(to: location) }
            guard facts.size == total else {
                throw ServiceError(.conflict, "There is an object of another size at \"\(location)\".")
            }
            try folder(of: location)?.sync()
            if let parts { try parts.remove(location.leaf) }
            return facts
        }
    }

    func abort(_ handle: UploadHandle, at location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try await writing(location, deadline: deadline) { _ in
            try Self.unlessMissing { try partsFolder(of: location)?.remove(location.leaf) }
        }
    }

    func delete(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try await writing(location, deadline: deadline) { _ in
            guard let folder = try folder(of: location), let status = try folder.status(of: location.leaf),
                status.st_mode & S_IFMT != S_IFDIR
            else { return }
            try Self.unlessMissing { try folder.remove(location.leaf) }
            try folder.sync()
        }
    }

    /// Gives a sealed file its name among the blobs, which is not durable yet. When another file has that name already it
    /// stays as it is.
    private func publish(_ location: StorageKey, from parts: Folder) throws {
        guard let blobs = try folder(of: location, making: true) else { throw Self.noUpload(to: location) }
        do {
            try parts.link(location.leaf, to: location.leaf, in: blobs)
        } catch {
            // ENOENT: the upload was aborted at this very moment.
            guard [EEXIST, ENOENT].contains(error.number) else { throw error }
        }
    }

    /// The facts of the blob, `nil` when there is none.
    private func committed(_ location: StorageKey) throws -> BlobFacts? {
        guard let status = try folder(of: location)?.status(of: location.leaf) else { return nil }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ServiceError(.conflict, "Something that is no object is in the way at \"\(location)\".")
        }
        return BlobFacts(status: status)
    }

    private func isThere(_ location: StorageKey) throws -> Bool {
        try folder(of: location)?.status(of: location.leaf) != nil
    }

    // MARK: - Folders

    /// The folder of a blob, `nil` when there is none. Each folder on the way is looked at before anything is done in it.
    private func folder(of location: StorageKey, making: Bool = false) throws -> Folder? {
        var folder = try Folder(path: root.path)
        for part in location.parts.dropLast() {
            guard let next = try Self.enter(String(part), of: folder, making: making) else { return nil }
            guard try root.contains(next.descriptor) else { throw refusal(of: location) }
            folder = next
        }
        return folder
    }

    /// The folder of an upload, `nil` when there is none.
    private func partsFolder(of location: StorageKey, making: Bool = false) throws -> Folder? {
        var folder = try Folder(path: root.path)
        for part in [Substring(StorageRoot.uploadsFolder)] + location.parts.dropLast() {
            guard let next = try Self.enter(String(part), of: folder, making: making) else { return nil }
            folder = next
        }
        return folder
    }

    private static func enter(_ name: String, of folder: Folder, making: Bool) throws -> Folder? {
        do {
            return try Folder(name, in: folder)
        } catch {
            guard [ENOENT, ENOTDIR, ENAMETOOLONG].contains(error.number) else { throw error }
            guard making else { return nil }
        }
        try folder.make(name)
        return try Folder(name, in: folder)
    }

    private static func part(_ name: String, in folder: Folder) throws -> PartFile? {
        do {
            return try PartFile(name, in: folder)
        } catch {
            guard [ENOENT, ENAMETOOLONG, EISDIR].contains(error.number) else { throw error }
            return nil
        }
    }

    private static func noUpload(to location: StorageKey) -> ServiceError {
        ServiceError(.notFound, "There is no upload to \"\(location)\": it is over, or was never begun.")
    }

    /// Explains why a file cannot be made at a location that a file system cannot have beside what it has.
    private static func inTheWay<Value>(_ location: StorageKey, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let failure as SystemCallFailure {
            guard [ENOTDIR, EISDIR, ENAMETOOLONG].contains(failure.number) else { throw failure }
            throw ServiceError(
                .invalidArgument,
                "\"\(location)\" cannot be a file: a file is where it needs a folder, a folder where it needs a file, "
                    + "or a name in it is too long.",
                cause: failure)
        }
    }

    private static func unlessMissing(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let failure as SystemCallFailure {
            guard [ENOENT, ENOTDIR, ENAMETOOLONG, EISDIR].contains(failure.number) else { throw failure }
        }
    }
}

extension StorageKey {
    /// The last part.
    fileprivate var leaf: String { parts.last.map(String.init) ?? description }
}
