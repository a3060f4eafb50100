import Domain
import Mongo
import Synchronization

/// Which blob an id of GridFS stands for, so that reading a chunk needs one question and not two.
///
/// An id is never given to another blob; a blob that was removed is noticed by its chunks, which are gone.
final class KnownFiles: Sendable {
    private struct File {
        let location: StorageKey
        let length: Int64
    }

    private let files: Mutex<LeastRecentlyUsed<ObjectID, File>>

    /// Makes an empty memory for a number of blobs; beyond it, the one that was not used for longest goes.
    init(maxCount: Int) {
        files = Mutex(LeastRecentlyUsed(maxCount: maxCount))
    }

    /// The size of the blob in bytes, when it is known and at that location.
    func length(of id: ObjectID, at location: StorageKey) -> Int64? {
        guard let file = files.withLock({ $0.value(for: id) }), file.location == location else { return nil }
        return file.length
    }

    /// Keeps what was looked up.
    func remember(_ id: ObjectID, _ location: StorageKey, length: Int64) {
        files.withLock { $0.insert(File(location: location, length: length), for: id) }
    }

    /// Drops what is out of date.
    func forget(_ id: ObjectID) {
        files.withLock { $0.remove(id) }
    }
}
