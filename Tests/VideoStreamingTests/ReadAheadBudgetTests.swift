import Testing

@testable import VideoStreaming

struct ReadAheadBudgetTests {
    @Test func oneAloneMayHaveAllAndNoMore() {
        let budget = ReadAheadBudget(maxBytes: 100)
        let part = budget.enter()
        #expect(part.take(60) && part.take(40) && !part.take(1))
        part.giveBack(30)
        #expect(part.take(30) && !part.take(1))
        #expect(budget.held == 100)
    }

    @Test func eachHasAnEqualShareHoweverGreedyTheOthersAre() {
        let budget = ReadAheadBudget(maxBytes: 100)
        let greedy = budget.enter()
        while greedy.take(10) {}
        let modest = budget.enter()
        // Nothing is left, and the greedy one gets nothing more until it is below its share.
        #expect(!modest.take(10))
        for _ in 0..<5 {
            greedy.giveBack(10)
            #expect(!greedy.take(10))
        }
        for _ in 0..<5 { #expect(modest.take(10)) }
        #expect(!modest.take(10) && !greedy.take(10))
        #expect(budget.held == 100)
    }

    @Test func withMoreStreamsThanChunksNobodyReadsAhead() {
        let budget = ReadAheadBudget(maxBytes: 100)
        let parts = (0..<11).map { _ in budget.enter() }
        for part in parts { #expect(!part.take(10)) }
        #expect(budget.held == 0)
    }

    @Test func whoGoesLeavesItsShareToTheOthers() {
        let budget = ReadAheadBudget(maxBytes: 100)
        let stays = budget.enter()
        do {
            let goes = budget.enter()
            #expect(goes.take(50) && stays.take(50) && !stays.take(50))
        }
        #expect(budget.held == 50)
        #expect(stays.take(50))
    }
}
