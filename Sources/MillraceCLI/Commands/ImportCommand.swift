import ArgumentParser
import Domain
import Foundation
import ServiceKit

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Makes records of videos, and puts their files into the storage folder.",
        discussion: """
            A path is either a .json file with records in MongoDB extended JSON (as mongoexport writes them: one
            object, an array, or one object after the other; videoPath is needed, _id, title, description and
            contentType are taken when they are there), or a media file.

            A media file is copied to STORAGE_DIRECTORY under its name, and a record is made for it. For the records of
            a .json file, the file that videoPath names is copied when it lies beside the .json file and the storage
            folder does not have it yet.

              millrace import ops/sample/videos.json
              millrace import --title "My film" film.mp4
            """)

    @Argument(help: ArgumentHelp("A .json file with records, or a media file.", valueName: "path"))
    var paths: [String]

    @Option(help: "The folder that the storage workers read. Default: STORAGE_DIRECTORY.")
    var storageDirectory: String?

    @Option(help: "The title of an imported media file. Default: its name.")
    var title: String?

    @Flag(help: "A record whose id is taken is passed over instead of being an error.")
    var skipExisting = false

    @OptionGroup var stack: StackOptions

    func run() async throws {
        let settings = try await StackOptions.environment()
        let directory =
            try storageDirectory
            ?? settings.text(
                "STORAGE_DIRECTORY", meaning: "the folder that the storage workers read", example: "/srv/videos")
        let folder = try StorageFolder(directory)
        try await Stack.with(stack) { connection in
            for path in paths {
                let file = URL(fileURLWithPath: path)
                do {
                    if file.pathExtension.lowercased() == "json" {
                        try await importRecords(file, folder, connection)
                    } else {
                        try await importMedia(file, folder, connection)
                    }
                } catch let error as ServiceError {
                    throw ImportFault("\(path): \(error.message)")
                } catch let error as ImportFault {
                    throw ImportFault("\(path): \(error)")
                } catch let error as CocoaError {
                    throw ImportFault("\(path): \(error.localizedDescription)")
                }
            }
        }
    }

    private func importRecords(_ file: URL, _ folder: StorageFolder, _ connection: Stack) async throws {
        let records = try ImportRecord.records(in: Data(contentsOf: file))
        // Every key is checked before anything is written.
        let keys = try records.map { try StorageKey($0.videoPath) }
        for (record, key) in zip(records, keys) {
            let beside = file.deletingLastPathComponent().appendingPathComponent(record.videoPath)
            if !folder.contains(key), FileManager.default.fileExists(atPath: beside.path) {
                try folder.put(beside, as: key)
            }
            try await create(record.video, connection)
            if !folder.contains(key) { print("  its file is missing: put it to \(folder.root.path)/\(key)") }
        }
    }

    private func importMedia(_ file: URL, _ folder: StorageFolder, _ connection: Stack) async throws {
        guard FileManager.default.isReadableFile(atPath: file.path) else {
            throw ImportFault("there is no such file, or it cannot be read")
        }
        let key = try StorageKey(file.lastPathComponent)
        if !folder.contains(key) {
            try folder.put(file, as: key)
        } else if !folder.holds(file, as: key) {
            throw ImportFault("the storage folder holds another file of this name; rename one of them")
        }
        if let known = try await record(of: key, connection) {
            return print("\(known.id)  \(key) is there already")
        }
        let name = file.deletingPathExtension().lastPathComponent
        try await create(NewVideo(videoPath: key.description, title: title ?? name), connection)
    }

    private func create(_ video: NewVideo, _ connection: Stack) async throws {
        do throws(ServiceError) {
            let made = try await connection.metadata.create(video, deadline: stack.deadline)
            print("\(made.id)  \(made.videoPath.printable)")
        } catch {
            guard error.code == .conflict, skipExisting else { throw error }
            print("\(video.id.map(\.description) ?? video.videoPath)  is there already")
        }
    }

    /// The record that names a key, if there is one.
    private func record(of key: StorageKey, _ connection: Stack) async throws -> Video? {
        var cursor: VideoID?
        repeat {
            let page = try await connection.metadata.list(
                after: cursor, limit: MetadataLimits.maxPageSize, deadline: stack.deadline)
            if let video = page.videos.first(where: { $0.videoPath == key.description }) { return video }
            cursor = page.next
        } while cursor != nil
        return nil
    }
}
