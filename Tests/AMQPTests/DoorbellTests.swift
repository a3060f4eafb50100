import Glibc
import Testing

@testable import AMQP

@Suite struct DoorbellTests {
    private func isReadable(_ doorbell: Doorbell) -> Bool {
        var entry = pollfd(fd: doorbell.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) == 1
    }

    @Test func aThreadThatIsAwakeIsNotRung() throws {
        let doorbell = try Doorbell()
        doorbell.ring()
        #expect(!isReadable(doorbell))
    }

    @Test func aThreadThatSleepsIsRungOnce() throws {
        let doorbell = try Doorbell()
        #expect(doorbell.prepareToSleep(unless: { false }))
        doorbell.ring()
        #expect(isReadable(doorbell))
        doorbell.awake(wasRung: true)
        #expect(!isReadable(doorbell))
        doorbell.ring()
        #expect(!isReadable(doorbell))
    }

    @Test func aThreadThatHasWorkDoesNotGoToSleep() throws {
        let doorbell = try Doorbell()
        #expect(!doorbell.prepareToSleep(unless: { true }))
        doorbell.ring()
        #expect(!isReadable(doorbell))
    }
}
