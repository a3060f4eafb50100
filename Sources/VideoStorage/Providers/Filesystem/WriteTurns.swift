import Domain
import Synchronization

/// Lets one thread at a time copy bytes into a file.
///
/// The kernel lets no more than one do so (it holds the inode's lock meanwhile), but there those who wait spin: with eight
/// blocks of an upload under way, that was a tenth of a worker's processor time. Flushing needs no turn.
struct WriteTurns: Sendable {
    /// What a thread has while it copies.
    final class Turn: Sendable {
        private let lock = Mutex(())

        /// Waits for the turn, and has it for as long as the work lasts.
        func take(_ work: () throws -> Void) rethrows {
            try lock.withLock { _ in try work() }
        }
    }

    /// Two files share a turn now and then: with a few files written to at once, seldom.
    private let turns = (0..<64).map { _ in Turn() }

    /// The turn of the file at a location.
    func turn(at location: StorageKey) -> Turn {
        turns[Int(UInt(bitPattern: location.hashValue) % UInt(turns.count))]
    }
}
