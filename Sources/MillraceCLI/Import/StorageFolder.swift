import Domain
import Foundation

/// The folder that the storage workers read from. Until there are uploads, it is how a file gets in.
struct StorageFolder {
    let root: URL

    init(_ path: String) throws(ImportFault) {
        root = URL(fileURLWithPath: path, isDirectory: true)
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue else {
            throw ImportFault("STORAGE_DIRECTORY is no folder: \(path)")
        }
    }

    func contains(_ key: StorageKey) -> Bool {
        FileManager.default.fileExists(atPath: place(of: key).path)
    }

    private func place(of key: StorageKey) -> URL {
        root.appendingPathComponent(key.description)
    }

    /// Whether the folder holds these very bytes under the key.
    func holds(_ file: URL, as key: StorageKey) -> Bool {
        FileManager.default.contentsEqual(atPath: file.path, andPath: place(of: key).path)
    }

    /// Copies a file in. It is there whole or not at all: written beside its place, flushed to disk, then renamed.
    func put(_ file: URL, as key: StorageKey) throws {
        let target = place(of: key)
        try FileManager.default.createDirectory(
            at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        let part = target.deletingLastPathComponent()
            .appendingPathComponent(".millrace-\(UUID().uuidString).part")
        do {
            try copy(file, to: part)
            guard rename(part.path, target.path) == 0 else {
                throw ImportFault("\(target.path) cannot be written (errno \(errno))")
            }
        } catch {
            try? FileManager.default.removeItem(at: part)
            throw error
        }
    }

    private func copy(_ file: URL, to part: URL) throws {
        let source = try FileHandle(forReadingFrom: file)
        defer { try? source.close() }
        let total = Int64(try source.seekToEnd())
        try source.seek(toOffset: 0)
        guard FileManager.default.createFile(atPath: part.path, contents: nil) else {
            throw ImportFault("\(part.deletingLastPathComponent().path) cannot be written to")
        }
        let target = try FileHandle(forWritingTo: part)
        defer { try? target.close() }
        var bar = ProgressBar(file.lastPathComponent, total: total)
        defer { bar.finish() }
        var done: Int64 = 0
        // 1 MiB at a time, so that the size of a film does not show in memory.
        while let bytes = try source.read(upToCount: 1 << 20), !bytes.isEmpty {
            try target.write(contentsOf: bytes)
            done += Int64(bytes.count)
            bar.update(done)
        }
        try target.synchronize()
    }
}
