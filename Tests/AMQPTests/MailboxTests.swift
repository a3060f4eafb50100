import Testing

@testable import AMQP

@Suite struct MailboxTests {
    @Test func commandsComeOutInTheirOrder() throws {
        let mailbox = try Mailbox<Int>(maxCount: 10, maxBytes: 100)
        for number in 1...5 { try mailbox.put(number, bytes: 1) }
        #expect(mailbox.take(upTo: 2) == [1, 2])
        #expect(mailbox.take(upTo: 10) == [3, 4, 5])
    }

    @Test func oneMoreThanTheCountIsRefused() throws {
        let mailbox = try Mailbox<Int>(maxCount: 2, maxBytes: 100)
        try mailbox.put(1, bytes: 1)
        try mailbox.put(2, bytes: 1)
        let error = #expect(throws: AMQPError.self) { try mailbox.put(3, bytes: 1) }
        #expect(error?.kind == .mailboxFull)
        _ = mailbox.take(upTo: 1)
        try mailbox.put(4, bytes: 1)
        #expect(mailbox.take(upTo: 9) == [2, 4])
    }

    @Test func moreThanTheBytesIsRefusedUnlessItIsAlone() throws {
        let mailbox = try Mailbox<Int>(maxCount: 10, maxBytes: 100)
        try mailbox.put(1, bytes: 500)
        #expect(throws: AMQPError.self) { try mailbox.put(2, bytes: 1) }
        _ = mailbox.take(upTo: 1)
        try mailbox.put(3, bytes: 60)
        #expect(throws: AMQPError.self) { try mailbox.put(4, bytes: 41) }
        try mailbox.put(5, bytes: 40)
    }

    @Test func controlIsAlwaysTaken() throws {
        let mailbox = try Mailbox<Int>(maxCount: 1, maxBytes: 1)
        try mailbox.put(1, bytes: 1)
        for number in 2...100 { try mailbox.put(number, bytes: 0) }
        #expect(mailbox.take(upTo: .max).count == 100)
    }

    @Test func aClosedMailboxTakesNothingAndGivesBackWhatItHeld() throws {
        let mailbox = try Mailbox<Int>(maxCount: 10, maxBytes: 10)
        try mailbox.put(1, bytes: 1)
        #expect(mailbox.close() == [1])
        let error = #expect(throws: AMQPError.self) { try mailbox.put(2, bytes: 0) }
        #expect(error?.kind == .closed)
    }

    @Test func aThreadMaySleepOnlyWhileThereIsNoWork() throws {
        let mailbox = try Mailbox<Int>(maxCount: 10, maxBytes: 10)
        #expect(mailbox.prepareToSleep())
        mailbox.awake(wasWoken: true)
        try mailbox.put(1, bytes: 0)
        #expect(!mailbox.prepareToSleep())
    }
}
