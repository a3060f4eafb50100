import Domain
import Foundation
import Testing

@testable import MillraceCLI

struct StorageFolderTests {
    private let inbox: TemporaryFolder
    private let store: TemporaryFolder
    private let folder: StorageFolder

    init() throws {
        inbox = try TemporaryFolder()
        store = try TemporaryFolder()
        folder = try StorageFolder(store.path)
    }

    @Test func aFileIsPutWholeAndNothingIsLeftBesideIt() throws {
        let file = try inbox.write("the film", to: "film.mp4")
        let key = try StorageKey("film.mp4")
        #expect(!folder.contains(key))
        try folder.put(file, as: key)
        #expect(folder.contains(key))
        #expect(folder.holds(file, as: key))
        #expect(try store.names() == ["film.mp4"])
        #expect(store.text("film.mp4") == "the film")
        #expect(inbox.text("film.mp4") == "the film")
    }

    @Test(arguments: [
        "a/b/c/film.mp4", "with blank.mp4", "100%25.mp4", "a+b?c#d.mp4", "ümlaut/视频.mp4", "e\u{301}.mp4", "~", "C:",
        "...",
        ".hidden/film", "a;b&c", "-rf",
    ])
    func everyKeyIsItsOwnPath(_ name: String) throws {
        let file = try inbox.write("the film", to: "film.mp4")
        let key = try StorageKey(name)
        try folder.put(file, as: key)
        #expect(store.text(name) == "the film")
        #expect(folder.contains(key))
        #expect(folder.holds(file, as: key))
    }

    @Test func moreThanOneMebibyteIsCopiedWhole() throws {
        let text = String(repeating: "0123456789abcdef", count: 160_000) + "end"
        let file = try inbox.write(text, to: "film.mp4")
        try folder.put(file, as: try StorageKey("film.mp4"))
        #expect(store.text("film.mp4") == text)
    }

    @Test func anEmptyFileIsPut() throws {
        let file = try inbox.write("", to: "film.mp4")
        try folder.put(file, as: try StorageKey("film.mp4"))
        #expect(store.text("film.mp4") == "")
    }

    @Test func anotherFileOfTheSameNameIsTold() throws {
        let key = try StorageKey("film.mp4")
        try store.write("another", to: "film.mp4")
        let file = try inbox.write("the film", to: "film.mp4")
        #expect(folder.contains(key))
        #expect(!folder.holds(file, as: key))
    }

    @Test func aFileOfTheSameNameIsReplacedInOneStep() throws {
        let key = try StorageKey("film.mp4")
        try store.write("another", to: "film.mp4")
        let reader = try FileHandle(forReadingFrom: URL(fileURLWithPath: store.path + "/film.mp4"))
        try folder.put(try inbox.write("the film", to: "film.mp4"), as: key)
        #expect(store.text("film.mp4") == "the film")
        // Who reads the old one reads it to its end.
        #expect(try reader.readToEnd() == Data("another".utf8))
    }

    @Test func whatCannotBeReadLeavesNothingBehind() throws {
        let key = try StorageKey("a/film.mp4")
        #expect(throws: (any Error).self) {
            try folder.put(URL(fileURLWithPath: inbox.path + "/missing.mp4"), as: key)
        }
        #expect(throws: (any Error).self) { try folder.put(URL(fileURLWithPath: inbox.path), as: key) }
        #expect(!folder.contains(key))
        #expect(try store.names() == ["a"])
    }

    @Test func aPlaceThatIsTakenByAFolderIsToldAndLeavesNothingBehind() throws {
        try store.write("x", to: "film.mp4/x")
        let file = try inbox.write("the film", to: "film.mp4")
        #expect {
            try folder.put(file, as: try StorageKey("film.mp4"))
        } throws: { error in
            "\(error)".contains("\(store.path)/film.mp4 cannot be written")
        }
        #expect(try store.names() == ["film.mp4", "film.mp4/x"])
    }

    @Test func aPathThroughAFileIsRefused() throws {
        try store.write("x", to: "film.mp4")
        let file = try inbox.write("the film", to: "film.mp4")
        #expect(throws: (any Error).self) { try folder.put(file, as: try StorageKey("film.mp4/b.mp4")) }
        #expect(try store.names() == ["film.mp4"])
    }

    @Test func aFolderThatIsNotThereIsToldWithItsPath() throws {
        try inbox.write("x", to: "file")
        for path in ["\(inbox.path)/missing", "\(inbox.path)/file", ""] {
            #expect {
                try StorageFolder(path)
            } throws: { error in
                "\(error)" == "STORAGE_DIRECTORY is no folder: \(path)"
            }
        }
    }
}
