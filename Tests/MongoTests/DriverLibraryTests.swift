import Foundation
import Testing

@testable import Mongo

/// What libmongoc leaves outside the process.
struct DriverLibraryTests {
    /// A process that is killed cannot clear up any more, and the next one with its number would be warned.
    @Test func nothingIsLeftInSharedMemory() {
        DriverLibrary.initialised
        let path = "/dev/shm/mongoc-\(ProcessInfo.processInfo.processIdentifier)"
        #expect(!FileManager.default.fileExists(atPath: path))
    }
}
