internal import Synchronization

/// An attempt to connect, on a thread of its own: librabbitmq waits for the network here, for seconds where a host does not
/// answer, and the connections' thread has other things to do meanwhile.
final class ConnectionAttempt<Role: ConnectionRole>: Sendable {
    /// Passed from thread to thread; at any time only one of them touches it.
    private struct Passed<Value>: @unchecked Sendable {
        let value: Value
    }

    private let result = Mutex<Passed<Result<RawConnection, AMQPError>>?>(nil)

    /// Begins.
    init(_ link: ConnectionLink<Role>) {
        _ = OSThread(name: "amqp-connect") { [self] in
            let result = Passed(value: Self.connect(link))
            self.result.withLock { $0 = result }
            link.doorbell.ring()
        }
    }

    /// What came of it, once it is over. Gives it once.
    func takeResult() -> Result<RawConnection, AMQPError>? {
        result.withLock { $0.take() }?.value
    }

    private static func connect(_ link: ConnectionLink<Role>) -> Result<RawConnection, AMQPError> {
        do throws(AMQPError) {
            return .success(try open(link))
        } catch {
            return .failure(error)
        }
    }

    /// Tries every host of the address once.
    private static func open(_ link: ConnectionLink<Role>) throws(AMQPError) -> RawConnection {
        var failures: [AMQPError] = []
        var tried: Set<BrokerHost> = []
        // The order is looked at again after each failure: the other connection may have found one that answers.
        while !link.isStopping, let host = link.order.hosts.first(where: { !tried.contains($0) }) {
            tried.insert(host)
            do {
                return try RawConnection(link.configuration, to: host)
            } catch {
                failures.append(error)
                link.order.failed(host)
            }
        }
        throw AMQPError(joining: failures)
    }
}
