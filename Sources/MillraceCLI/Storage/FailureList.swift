import Domain
import Foundation
import Synchronization

/// The objects that failed, for the end of a command: the first ones with their reasons, and how many more.
final class FailureList: Sendable {
    private static let shown = 50

    private struct State {
        var lines: [String] = []
        var count = 0
    }

    private let state = Mutex(State())

    var isEmpty: Bool { state.withLock { $0.count == 0 } }

    /// Notes a failure.
    func add(_ object: StoredObject, _ error: ServiceError) {
        add(object.key, error.message)
    }

    /// Notes a failure.
    func add(_ key: StorageKey, _ reason: String) {
        state.withLock { state in
            state.count += 1
            guard state.lines.count < Self.shown else { return }
            state.lines.append("\(key.description.printable): \(reason.printable)")
        }
    }

    /// What there is to tell.
    var lines: [String] {
        state.withLock { state in
            state.count > state.lines.count
                ? state.lines + ["… and \(state.count - state.lines.count) more"] : state.lines
        }
    }

    /// Tells it on the standard error output.
    func tell() {
        for line in lines { FileHandle.standardError.write(Data("\(line)\n".utf8)) }
    }
}
