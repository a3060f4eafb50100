import Domain
import Foundation
import NIOCore
import Synchronization

@testable import VideoStorage

/// A provider whose first calls fail as they are told, and whose others succeed with 10 bytes of nothing.
final class ScriptedProvider: StorageProvider {
    private struct State {
        var failures: [ServiceError.Code]
        var calls = 0
        var atOnce = 0
        var mostAtOnce = 0
    }

    let name = ProviderName("scripted")
    let limits = ProviderLimits(blockBytes: 262_144, maxBlocks: 10)
    private let delay: Duration
    private let state: Mutex<State>

    init(_ failures: [ServiceError.Code], delay: Duration = .zero) {
        self.delay = delay
        state = Mutex(State(failures: failures))
    }

    var calls: Int { state.withLock { $0.calls } }
    var mostAtOnce: Int { state.withLock { $0.mostAtOnce } }

    private func answer<Value: Sendable>(_ value: Value) async throws(ServiceError) -> Value {
        let failure: ServiceError.Code? = state.withLock { state in
            state.calls += 1
            state.atOnce += 1
            state.mostAtOnce = max(state.mostAtOnce, state.atOnce)
            return state.failures.isEmpty ? nil : state.failures.removeFirst()
        }
        if delay > .zero { try? await Task.sleep(for: delay) }
        state.withLock { $0.atOnce -= 1 }
        if let failure { throw ServiceError(failure, "as the script says") }
        return value
    }

    private var facts: BlobFacts {
        BlobFacts(size: 10, validator: BlobValidator(1, 2, 3), modifiedAt: .distantPast, contentType: nil)
    }

    func stat(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) -> BlobFacts {
        try await answer(facts)
    }

    func read(
        _ location: StorageKey, range: ByteRange, validator: BlobValidator, deadline: Deadline
    ) async throws(ServiceError) -> BlobBytes {
        try await answer(BlobBytes(ByteBuffer(repeating: 0, count: 10)))
    }

    func begin(
        _ location: StorageKey, contentType: String?, deadline: Deadline
    ) async throws(ServiceError) -> UploadHandle {
        try await answer(.none)
    }

    func stage(
        _ handle: UploadHandle, at location: StorageKey, index: Int, bytes: ByteBuffer, deadline: Deadline
    ) async throws(ServiceError) -> String {
        try await answer("")
    }

    func commit(
        _ handle: UploadHandle, at location: StorageKey, blocks: [StagedBlock], contentType: String?, deadline: Deadline
    ) async throws(ServiceError) -> BlobFacts {
        try await answer(facts)
    }

    func abort(_ handle: UploadHandle, at location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try await answer(())
    }

    func delete(_ location: StorageKey, deadline: Deadline) async throws(ServiceError) {
        try await answer(())
    }

    func list(after cursor: PageCursor?, limit: Int, deadline: Deadline) async throws(ServiceError) -> BlobPage {
        try await answer(BlobPage(entries: [], next: nil))
    }

    func uploads(
        after cursor: PageCursor?, limit: Int, deadline: Deadline
    ) async throws(ServiceError) -> BegunUploadPage {
        try await answer(BegunUploadPage(entries: [], next: nil))
    }
}
