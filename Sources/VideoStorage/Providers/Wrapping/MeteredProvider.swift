import Domain
import Metrics
import NIOCore
import Synchronization

/// Counts the calls of a provider by name, call and outcome, how long they took, and the bytes that they moved.
final class MeteredProvider: WrappingProvider {
    private struct Key: Hashable {
        let call: ProviderCall
        let outcome: String
    }

    private struct Handles {
        let calls: Counter
        let time: Metrics.Timer
    }

    let inner: any StorageProvider
    private let factory: any MetricsFactory
    private let readBytes: Counter
    private let stagedBytes: Counter
    /// Made once and kept: making one asks the factory, which takes longer than counting does.
    private let handles = Mutex<[Key: Handles]>([:])

    /// Wraps a provider, and counts in the given system.
    init(_ inner: any StorageProvider, factory: any MetricsFactory = MetricsSystem.factory) {
        self.inner = inner
        self.factory = factory
        let name = inner.name.description
        readBytes = Counter(
            label: "millrace_storage_provider_read_bytes_total", dimensions: [("provider", name)], factory: factory)
        stagedBytes = Counter(
            label: "millrace_storage_provider_staged_bytes_total", dimensions: [("provider", name)], factory: factory)
    }

    func around<Value: Sendable>(
        _ call: ProviderCall, deadline: Deadline, _ body: () async throws(ServiceError) -> Value
    ) async throws(ServiceError) -> Value {
        let start = ContinuousClock.now
        do {
            let value = try await body()
            record(call, "ok", since: start)
            return value
        } catch {
            record(call, error.code.rawValue, since: start)
            throw error
        }
    }

    func read(
        _ location: StorageKey, range: ByteRange, validator: BlobValidator, deadline: Deadline
    ) async throws(ServiceError) -> BlobBytes {
        let read = try await around(.read, deadline: deadline) { () async throws(ServiceError) in
            try await inner.read(location, range: range, validator: validator, deadline: deadline)
        }
        readBytes.increment(by: read.bytes.readableBytes)
        return read
    }

    func stage(
        _ handle: UploadHandle, at location: StorageKey, index: Int, bytes: ByteBuffer, deadline: Deadline
    ) async throws(ServiceError) -> String {
        let receipt = try await around(.stage, deadline: deadline) { () async throws(ServiceError) in
            try await inner.stage(handle, at: location, index: index, bytes: bytes, deadline: deadline)
        }
        stagedBytes.increment(by: bytes.readableBytes)
        return receipt
    }

    private func record(_ call: ProviderCall, _ outcome: String, since start: ContinuousClock.Instant) {
        let key = Key(call: call, outcome: outcome)
        let known = handles.withLock { handles in
            if let known = handles[key] { return known }
            let place = [("provider", inner.name.description), ("call", call.rawValue)]
            let made = Handles(
                calls: Counter(
                    label: "millrace_storage_provider_calls_total", dimensions: place + [("outcome", outcome)],
                    factory: factory),
                time: Metrics.Timer(
                    label: "millrace_storage_provider_call_seconds", dimensions: place, factory: factory))
            handles[key] = made
            return made
        }
        known.calls.increment()
        known.time.recordNanoseconds(Int64(start.duration(to: .now).inSeconds * 1e9))
    }
}
