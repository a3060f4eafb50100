import Testing

@testable import VideoStorage

@Suite struct LeastRecentlyUsedTests {
    @Test func valueThatWasNotUsedForLongestGoesFirst() {
        var cache = LeastRecentlyUsed<Int, String>(maxCount: 2)
        cache.insert("one", for: 1)
        cache.insert("two", for: 2)
        #expect(cache.value(for: 1) == "one")
        cache.insert("three", for: 3)
        #expect(cache.value(for: 2) == nil)
        #expect(cache.value(for: 1) == "one")
        #expect(cache.value(for: 3) == "three")
    }

    /// Ten thousand random operations agree with a plain list that is searched from end to end.
    @Test(arguments: [1, 2, 3, 7, 20])
    func behavesLikeAListInOrderOfUse(maxCount: Int) {
        var random = SystemRandomNumberGenerator()
        var cache = LeastRecentlyUsed<Int, Int>(maxCount: maxCount)
        var model: [(key: Int, value: Int)] = []
        for step in 0..<10_000 {
            let key = Int.random(in: 0..<(maxCount * 2 + 1), using: &random)
            let present = model.firstIndex { $0.key == key }
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                cache.remove(key)
                if let present { model.remove(at: present) }
            case 1, 2:
                cache.insert(step, for: key)
                if let present { model.remove(at: present) }
                model.append((key, step))
                if model.count > maxCount { model.removeFirst() }
            default:
                #expect(cache.value(for: key) == present.map { model[$0].value })
                if let present { model.append(model.remove(at: present)) }
            }
            #expect(cache.count == model.count)
        }
    }
}
