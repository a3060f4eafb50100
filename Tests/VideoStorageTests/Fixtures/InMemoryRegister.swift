import Domain
import Foundation
import Synchronization

@testable import VideoStorage

/// A register of uploads without a database.
final class InMemoryRegister: UploadRegister {
    private let state = Mutex<[UploadID: Upload]>([:])
    private let touched = Mutex<[Int64]>([])
    private let asked = Atomic<Int>(0)

    /// How far moves had come, each time it was noted.
    var notes: [Int64] { touched.withLock { $0 } }

    /// How often an upload was asked for.
    var questions: Int { asked.load(ordering: .relaxed) }

    var all: [Upload] { state.withLock { Array($0.values) } }

    func enter(_ upload: Upload, deadline: Deadline) async throws(ServiceError) -> Upload? {
        state.withLock { uploads in
            if let present = uploads[upload.id] { return present }
            uploads[upload.id] = upload
            return nil
        }
    }

    func upload(_ id: UploadID, deadline: Deadline) async throws(ServiceError) -> Upload? {
        asked.add(1, ordering: .relaxed)
        return state.withLock { $0[id] }
    }

    func advance(
        _ id: UploadID, from states: [Upload.State], to state: Upload.State, content: Upload.Content?, at moment: Date,
        deadline: Deadline
    ) async throws(ServiceError) -> Bool {
        self.state.withLock { uploads in
            guard var upload = uploads[id], states.contains(upload.state) else { return false }
            upload.state = state
            if let content { upload.content = content }
            upload.touchedAt = moment
            uploads[id] = upload
            return true
        }
    }

    func touch(
        _ id: UploadID, at moment: Date, copiedBytes: Int64?, deadline: Deadline
    ) async throws(ServiceError) {
        if let copiedBytes { touched.withLock { $0.append(copiedBytes) } }
        state.withLock { uploads in
            uploads[id]?.touchedAt = moment
            if let copiedBytes { uploads[id]?.copiedBytes = copiedBytes }
        }
    }

    func uploads(
        in states: [Upload.State], of providers: [ProviderName], touchedBefore moment: Date, limit: Int,
        deadline: Deadline
    ) async throws(ServiceError) -> [Upload] {
        let found = state.withLock { uploads in
            uploads.values.filter {
                states.contains($0.state) && providers.contains($0.provider) && $0.touchedAt < moment
            }
        }
        return Array(found.sorted { $0.touchedAt < $1.touchedAt }.prefix(limit))
    }

    func moves(limit: Int, deadline: Deadline) async throws(ServiceError) -> [Upload] {
        state.withLock { $0.values.filter { $0.state == .open && $0.purpose == .move } }
    }

    func remove(_ id: UploadID, in state: Upload.State, deadline: Deadline) async throws(ServiceError) {
        self.state.withLock { uploads in
            if uploads[id]?.state == state { uploads[id] = nil }
        }
    }

    func named(
        _ locations: [StorageKey], in provider: ProviderName, deadline: Deadline
    ) async throws(ServiceError) -> Set<StorageKey> {
        state.withLock { uploads in
            Set(uploads.values.filter { $0.provider == provider }.map(\.location)).intersection(locations)
        }
    }
}
