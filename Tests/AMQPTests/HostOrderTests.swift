import Testing

@testable import AMQP

@Suite struct HostOrderTests {
    private let hosts = (1...4).map { BrokerHost(name: "node\($0)", port: 5_672) }

    @Test func eachHostIsThereOnceAndClientsDiffer() {
        let orders = (0..<100).map { _ in HostOrder(hosts).hosts }
        for order in orders { #expect(Set(order) == Set(hosts) && order.count == hosts.count) }
        #expect(Set(orders.map(\.first)).count > 1)
    }

    @Test func bothConnectionsOfAClientTryTheSameHostFirst() {
        let order = HostOrder(hosts)
        #expect(order.hosts == order.hosts)
        let first = order.hosts[0]
        order.failed(first)
        let next = order.hosts[0]
        #expect(next != first)
        #expect(order.hosts.last == first)
        // The other connection notices the same death a little later.
        order.failed(first)
        #expect(order.hosts[0] == next)
    }

    @Test func aSingleHostIsTriedAgain() {
        let order = HostOrder([hosts[0]])
        order.failed(hosts[0])
        #expect(order.hosts == [hosts[0]])
    }

    @Test func theClientsOfAHostThatDiedSpread() {
        let next = (0..<200).compactMap { _ -> BrokerHost? in
            let order = HostOrder(hosts)
            guard order.hosts[0] == hosts[0] else { return nil }
            order.failed(hosts[0])
            return order.hosts[0]
        }
        #expect(Set(next).count > 1)
    }
}
