import TestKit
import Testing

@testable import AMQP

@Suite struct AcknowledgementBatchTests {
    private func batch(delivered count: UInt64) -> AcknowledgementBatch {
        var batch = AcknowledgementBatch()
        for tag in 1...count { batch.delivered(tag) }
        return batch
    }

    private func flushed(_ batch: inout AcknowledgementBatch, _ tags: UInt64...) -> [String] {
        for tag in tags { batch.acknowledged(tag) }
        return batch.flush().map { $0.isMultiple ? "to \($0.tag)" : "\($0.tag)" }
    }

    @Test func theOldestAreAcknowledgedTogether() {
        var batch = batch(delivered: 5)
        #expect(flushed(&batch, 2, 1, 3) == ["to 3"])
        #expect(flushed(&batch, 4) == ["4"])
        #expect(flushed(&batch) == [])
    }

    @Test func whatIsDoneBeforeAnOlderOneIsAcknowledgedByItself() {
        var batch = batch(delivered: 6)
        #expect(flushed(&batch, 3, 5) == ["3", "5"])
        #expect(flushed(&batch, 1, 6) == ["1", "6"])
        #expect(flushed(&batch, 2, 4) == ["to 4"])
    }

    @Test func nothingIsSettledTwice() {
        var batch = batch(delivered: 3)
        #expect(flushed(&batch, 1, 1) == ["1"])
        #expect(flushed(&batch, 1) == [])
        let rejected = [2, 2, 9].map { batch.rejected($0) }
        #expect(rejected == [true, false, false])
        #expect(flushed(&batch, 2, 3) == ["3"])
        batch.delivered(4)
        batch.acknowledged(4)
        let late = batch.rejected(4)
        #expect(!late)
        #expect(flushed(&batch) == ["4"])
    }

    /// A broker that settles what it is told, and notices what must not be told.
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func inAnyOrderTheBrokerSettlesWhatIsDoneAndNothingElse(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var batch = AcknowledgementBatch()
        var (open, atBroker, done) = (Set<UInt64>(), Set<UInt64>(), Set<UInt64>())
        var lastTag: UInt64 = 0
        for _ in 0..<20_000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4 where open.count < 64:
                lastTag += 1
                batch.delivered(lastTag)
                open.insert(lastTag)
                atBroker.insert(lastTag)
            case 4..<8:
                guard let tag = open.sorted().prefix(16).randomElement(using: &random) else { continue }
                open.remove(tag)
                if Int.random(in: 0..<10, using: &random) == 0 {
                    let isRejected = batch.rejected(tag)
                    #expect(isRejected)
                    atBroker.remove(tag)
                } else {
                    batch.acknowledged(tag)
                    done.insert(tag)
                }
            default:
                for frame in batch.flush() {
                    let settled = frame.isMultiple ? atBroker.filter { $0 <= frame.tag } : [frame.tag]
                    #expect(atBroker.isSuperset(of: settled))
                    #expect(done.isSuperset(of: settled))
                    atBroker.subtract(settled)
                }
                #expect(atBroker == open)
            }
        }
    }
}
