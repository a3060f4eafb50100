import Testing

@testable import VideoStreaming

struct RecentAnswersTests {
    private let start = ContinuousClock.now

    @Test func anAnswerIsGivenForASecondSinceItWasAskedFor() {
        var memory = RecentAnswers<String, Int>(lifetime: .seconds(1), maxCount: 10)
        memory.keep(7, to: "a", asked: start)
        #expect(memory.answer(to: "a", now: start + .milliseconds(999)) == 7)
        #expect(memory.answer(to: "a", now: start + .seconds(1)) == nil)
        #expect(memory.answer(to: "b", now: start) == nil)
    }

    @Test func aNewerAnswerTakesThePlaceOfTheOlderOne() {
        var memory = RecentAnswers<String, Int>(lifetime: .seconds(1), maxCount: 10)
        memory.keep(7, to: "a", asked: start)
        memory.keep(8, to: "a", asked: start + .milliseconds(600))
        // What makes room for the next must not take the newer one for the older one.
        memory.keep(1, to: "b", asked: start + .milliseconds(1_100))
        #expect(memory.answer(to: "a", now: start + .milliseconds(1_100)) == 8)
        #expect(memory.count == 2)
    }

    @Test func whatIsForgottenIsGone() {
        var memory = RecentAnswers<String, Int>(lifetime: .seconds(1), maxCount: 10)
        memory.keep(7, to: "a", asked: start)
        memory.forget("a")
        #expect(memory.answer(to: "a", now: start) == nil)
        memory.keep(8, to: "a", asked: start)
        #expect(memory.answer(to: "a", now: start) == 8)
    }

    @Test func itHoldsNoMoreThanItsLimitAndNothingThatIsTooOld() {
        var memory = RecentAnswers<Int, Int>(lifetime: .seconds(1), maxCount: 100)
        for number in 0..<1_000 { memory.keep(number, to: number, asked: start) }
        #expect(memory.count == 100)
        #expect(memory.answer(to: 999, now: start) == 999)
        #expect(memory.answer(to: 899, now: start) == nil)
        memory.keep(0, to: 0, asked: start + .seconds(1))
        #expect(memory.count == 1)
        for number in 0..<1_000 { memory.keep(number, to: 0, asked: start + .seconds(1)) }
        #expect(memory.count == 1)
    }
}
