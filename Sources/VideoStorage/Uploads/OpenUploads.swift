import Domain
import Synchronization

/// Uploads that were open a moment ago, so that not every block needs a question to the database.
///
/// What is remembered may be out of date: another worker may have committed or aborted the upload meanwhile. So may an answer
/// of the database by the time at which the block's last byte is written. Providers therefore keep a late block out of what
/// was committed, and the collector removes what one leaves behind; this only gives such a block ``lasting`` more to come.
final class OpenUploads: Sendable {
    /// How long an answer of the database is good for. A client at full speed stages a hundred blocks in this time.
    static let lasting = Duration.seconds(1)
    /// More uploads than one worker fills within that time; 256 entries take less than 1 MB.
    static let defaultMaxCount = 256

    private struct Entry {
        let upload: Upload
        let end: ContinuousClock.Instant
    }

    private let entries: Mutex<LeastRecentlyUsed<UploadID, Entry>>

    /// Makes an empty memory for a number of uploads; beyond it, the one that was not used for longest goes.
    init(maxCount: Int = defaultMaxCount) {
        entries = Mutex(LeastRecentlyUsed(maxCount: maxCount))
    }

    /// The upload, when it was seen open not long ago.
    func upload(_ id: UploadID, at moment: ContinuousClock.Instant = .now) -> Upload? {
        entries.withLock { entries in
            guard let entry = entries.value(for: id), moment < entry.end else { return nil }
            return entry.upload
        }
    }

    /// Keeps an upload that the database has said is open.
    ///
    /// - Parameters:
    ///   - upload: What it said.
    ///   - asked: When it was asked.
    func remember(_ upload: Upload, asked: ContinuousClock.Instant) {
        entries.withLock { $0.insert(Entry(upload: upload, end: asked + Self.lasting), for: upload.id) }
    }

    /// Drops an upload: this worker has ended it, or the provider contradicts that it is open.
    func forget(_ id: UploadID) {
        entries.withLock { $0.remove(id) }
    }
}
