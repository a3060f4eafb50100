import Foundation
import Mongo

/// What is in the storage folder and the databases that no video stands for.
struct StorageRemains: Equatable {
    /// Files that no object lives in, part files included.
    var unnamedFiles: [String] = []
    /// Objects whose file is not there.
    var lostObjects: [String] = []
    /// Retired blobs, and entries of deleted objects.
    var retired: [String] = []
    /// Uploads that are neither committed nor forgotten.
    var unfinishedUploads: [String] = []
    /// How many events have not been told.
    var pendingEvents = 0
}

extension TestStack {
    /// What is left now.
    ///
    /// - Parameter folder: How the storage folder is seen from here, where that is not as the workers see it.
    /// - Returns: What no video stands for.
    /// - Throws: When the folder or a database cannot be read.
    func remains(in folder: URL? = nil) async throws -> StorageRemains {
        var remains = StorageRemains()
        let objects = try await documents("objects", of: .storage)
        let uploads = try await documents("uploads", of: .storage)
        var named: Set<String> = []
        for object in objects {
            let location = object.text("location")
            if object.text("state") == "committed" { named.insert(location) } else { remains.retired.append(location) }
            if case .array(let blobs)? = object["retired"], !blobs.isEmpty {
                remains.retired.append("\(blobs.count) before \(location)")
            }
        }
        for upload in uploads where upload.text("state") != "committed" {
            remains.unfinishedUploads.append("\(upload.text("_id")) \(upload.text("state"))")
        }
        for document in try await objects + documents("videos", of: .metadata) {
            if case .array(let events)? = document["pendingEvents"] { remains.pendingEvents += events.count }
        }
        let files = try Self.files(below: folder ?? storageFolder)
        remains.unnamedFiles = files.subtracting(named).sorted()
        remains.lostObjects = named.subtracting(files).sorted()
        return remains
    }

    /// Waits until nothing is left that no video stands for. What an upload that failed has left is kept for half a minute.
    func expectNothingLeft(in folder: URL? = nil, within limit: Duration = .seconds(90)) async throws {
        var last = StorageRemains()
        do {
            try await eventually("nothing is left", within: limit) {
                last = try await remains(in: folder)
                return last == StorageRemains()
            }
        } catch let late as TooLate {
            throw TooLate(description: "\(late): \(last)")
        }
    }

    private static func files(below folder: URL) throws -> Set<String> {
        let files = FileManager.default
        guard let paths = files.enumerator(atPath: folder.path) else { throw CocoaError(.fileReadNoSuchFile) }
        var found: Set<String> = []
        for case let path as String in paths {
            var isFolder: ObjCBool = false
            // One that is deleted meanwhile is none.
            guard files.fileExists(atPath: folder.appendingPathComponent(path).path, isDirectory: &isFolder) else {
                continue
            }
            if !isFolder.boolValue { found.insert(path) }
        }
        return found
    }
}

extension BSONDocument {
    /// A field that is a text, or an id as one; empty when it is neither.
    func text(_ name: String) -> String {
        switch self[name] {
        case .string(let text): text
        case .objectID(let id): id.description
        default: ""
        }
    }
}
