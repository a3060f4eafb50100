import Testing

@testable import AMQP

@Suite struct MailboxTests {
    @Test func commandsComeOutInTheirOrder() throws {
        let mailbox = try Mailbox<Int>(maxCount: 10, maxBytes: 100, doorbell: Doorbell())
        for number in 1...5 { try mailbox.put(number, bytes: 1) }
        #expect(mailbox.take() == [1, 2, 3, 4, 5])
        #expect(mailbox.take().isEmpty)
    }

    @Test func oneMoreThanTheCountIsRefused() throws {
        let mailbox = try Mailbox<Int>(maxCount: 2, maxBytes: 100, doorbell: Doorbell())
        try mailbox.put(1, bytes: 1)
        try mailbox.put(2, bytes: 1)
        let error = #expect(throws: AMQPError.self) { try mailbox.put(3, bytes: 1) }
        #expect(error?.kind == .mailboxFull)
        #expect(mailbox.take() == [1, 2])
        try mailbox.put(4, bytes: 1)
        #expect(mailbox.take() == [4])
    }

    @Test func moreThanTheBytesIsRefusedUnlessItIsAlone() throws {
        let mailbox = try Mailbox<Int>(maxCount: 10, maxBytes: 100, doorbell: Doorbell())
        try mailbox.put(1, bytes: 500)
        #expect(throws: AMQPError.self) { try mailbox.put(2, bytes: 1) }
        _ = mailbox.take()
        try mailbox.put(3, bytes: 60)
        #expect(throws: AMQPError.self) { try mailbox.put(4, bytes: 41) }
        try mailbox.put(5, bytes: 40)
    }

    @Test func controlIsAlwaysTaken() throws {
        let mailbox = try Mailbox<Int>(maxCount: 1, maxBytes: 1, doorbell: Doorbell())
        try mailbox.put(1, bytes: 1)
        for number in 2...100 { try mailbox.put(number, bytes: 0) }
        #expect(mailbox.take().count == 100)
    }

    @Test func aClosedMailboxTakesNothingAndGivesBackWhatItHeld() throws {
        let mailbox = try Mailbox<Int>(maxCount: 10, maxBytes: 10, doorbell: Doorbell())
        try mailbox.put(1, bytes: 1)
        #expect(mailbox.close() == [1])
        let error = #expect(throws: AMQPError.self) { try mailbox.put(2, bytes: 0) }
        #expect(error?.kind == .closed)
    }
}
