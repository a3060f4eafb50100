internal import Synchronization

/// In which order the connections of one client try the hosts of an address: at random, but the same for both, so that
/// they lead to one node. A reply and the acknowledgement of its request then go down together when that node dies, and
/// the request is delivered again; with one connection left, the request could be settled and its reply be lost.
///
/// Not guaranteed: that both lead to one node. If the broker closes one of them, that one moves on alone.
final class HostOrder: Sendable {
    private let order: Mutex<[BrokerHost]>

    init(_ hosts: [BrokerHost]) {
        order = Mutex(hosts.shuffled())
    }

    /// The hosts for one attempt, each once.
    var hosts: [BrokerHost] { order.withLock { $0 } }

    /// A host did not answer, or a connection to it broke: it comes last from now on. Those that are left are put in a new
    /// random order, so that the clients of a node that has died spread over the others.
    func failed(_ host: BrokerHost) {
        order.withLock { order in
            // The second connection to tell of the same death changes nothing.
            guard order.first == host else { return }
            order = order.dropFirst().shuffled() + [host]
        }
    }
}
