import Synchronization

/// A value that several tasks of a test look at and change.
final class Shared<Value: Sendable>: Sendable {
    private let storage: Mutex<Value>

    init(_ value: Value) {
        storage = Mutex(value)
    }

    var value: Value { storage.withLock(\.self) }

    func change(_ body: @Sendable (inout Value) -> Void) {
        storage.withLock { body(&$0) }
    }
}
