import Domain
import Mongo
import Synchronization

/// Which blob an id of GridFS stands for, so that reading a chunk needs one question and not two.
///
/// An id is never given to another blob; a blob that was removed is noticed by its chunks, which are gone.
final class KnownFiles: Sendable {
    /// How a blob is cut.
    struct Shape: Sendable, Equatable {
        /// Bytes in all.
        var length: Int64
        /// The size in bytes of each chunk but the last.
        var chunkBytes: Int64
    }

    private struct File {
        let location: StorageKey
        let shape: Shape
    }

    private let files: Mutex<LeastRecentlyUsed<ObjectID, File>>

    /// Makes an empty memory for a number of blobs; beyond it, the one that was not used for longest goes.
    init(maxCount: Int) {
        files = Mutex(LeastRecentlyUsed(maxCount: maxCount))
    }

    /// How the blob is cut, when it is known and at that location.
    func shape(of id: ObjectID, at location: StorageKey) -> Shape? {
        guard let file = files.withLock({ $0.value(for: id) }), file.location == location else { return nil }
        return file.shape
    }

    /// Keeps what was looked up.
    func remember(_ id: ObjectID, _ location: StorageKey, _ shape: Shape) {
        files.withLock { $0.insert(File(location: location, shape: shape), for: id) }
    }

    /// Drops what is out of date.
    func forget(_ id: ObjectID) {
        files.withLock { $0.remove(id) }
    }
}
