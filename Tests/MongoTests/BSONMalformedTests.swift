import Testing

@testable import Mongo

@Suite struct BSONMalformedTests {
    private func error(_ bytes: [UInt8]) -> BSONError? {
        do {
            _ = try BSONDocument(bytes: bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test func aDocumentCutAnywhereIsRefused() {
        let bytes = BSONSamples.everyType.bytes
        for length in 0..<bytes.count {
            #expect(error(Array(bytes[..<length])) != nil, "cut to \(length) bytes")
        }
    }

    @Test func aDocumentCutAnywhereWithItsLengthMendedIsRefused() {
        let bytes = BSONSamples.everyType.bytes
        // Where a field ends, cutting and mending gives a whole document.
        var ends: Set<Int> = [4]
        var reader = BSONReader(wellFormed: bytes)
        while let element = try? reader.nextElement() { ends.insert(element.value.upperBound) }
        for length in 4..<(bytes.count - 1) where !ends.contains(length) {
            var cut = Array(bytes[..<length]) + [0]
            cut.replaceSubrange(0..<4, with: withUnsafeBytes(of: UInt32(cut.count).littleEndian) { Array($0) })
            #expect(error(cut) != nil, "cut to \(length) bytes")
        }
    }

    @Test func wrongLengthsAreRefusedByName() {
        #expect(error([])?.kind == .truncated)
        #expect(error([5, 0, 0, 0])?.kind == .truncated)
        #expect(error([6, 0, 0, 0, 0])?.kind == .truncated)
        #expect(error([4, 0, 0, 0, 0])?.kind == .invalid)
        #expect(error([0xFF, 0xFF, 0xFF, 0xFF, 0])?.kind == .invalid)
        #expect(error([5, 0, 0, 0, 1])?.kind == .invalid)
        #expect(error([5, 0, 0, 0, 0, 0])?.kind == .invalid)
        // Text whose length is 0, negative, the largest there is, one too many; and without its zero byte.
        for length: [UInt8] in [[0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [0xFF, 0xFF, 0xFF, 0x7F], [3, 0, 0, 0]] {
            #expect(error([14, 0, 0, 0, 2, 0x61, 0] + length + [0x62, 0, 0]) != nil)
        }
        #expect(error([14, 0, 0, 0, 2, 0x61, 0, 2, 0, 0, 0, 0x62, 1, 0])?.kind == .invalid)
        // Code whose string reaches over its scope.
        var scope = (["a": .javascriptWithScope("b", [:])] as BSONDocument).bytes
        scope[11] = 3
        #expect(error(scope)?.kind == .invalid)
        // A bool of 2, and a type that does not exist.
        #expect(error([9, 0, 0, 0, 8, 0x61, 0, 2, 0])?.kind == .invalid)
        #expect(error([8, 0, 0, 0, 0x20, 0x61, 0, 0])?.kind == .invalid)
    }

    @Test func textAndNamesMustBeUTF8() {
        #expect(error([14, 0, 0, 0, 2, 0x61, 0, 2, 0, 0, 0, 0xFF, 0, 0])?.kind == .invalidUTF8)
        #expect(error([8, 0, 0, 0, 10, 0xC3, 0, 0])?.kind == .invalidUTF8)
        // An overlong zero, and half a surrogate pair.
        #expect(error([15, 0, 0, 0, 2, 0x61, 0, 3, 0, 0, 0, 0xC0, 0x80, 0, 0])?.kind == .invalidUTF8)
        #expect(error([16, 0, 0, 0, 2, 0x61, 0, 4, 0, 0, 0, 0xED, 0xA0, 0x80, 0, 0])?.kind == .invalidUTF8)
    }

    @Test func nestingIsAllowedUpToTheLimitAndNotBeyond() {
        #expect(error(BSONSamples.nested(levels: BSONDocument.maxDepth).bytes) == nil)
        #expect(error(BSONSamples.nested(levels: BSONDocument.maxDepth + 1).bytes)?.kind == .tooDeep)
        #expect(error(BSONSamples.nested(levels: 5000).bytes)?.kind == .tooDeep)
    }

    @Test func aDocumentOverTheSizeLimitIsRefused() {
        #expect(error(Array(repeating: 0, count: BSONDocument.maxBytes + 1))?.kind == .tooLarge)
    }

    @Test func twoHundredThousandMutationsAreRefusedOrReadable() async throws {
        let seed: UInt64 = 20_240_601
        var random = SeededGenerator(seed: seed)
        // Mostly small documents of one type each, where a mutation is likely to hit something that matters.
        let small = BSONSamples.everyType.map { (["a": $0.value, "b": 1] as BSONDocument).bytes }
        var refused = 0
        for round in 0..<200_000 {
            // Tests that measure time may share the process.
            if round % 100 == 0 { await Task.yield() }
            var bytes = round % 100 == 0 ? BSONSamples.everyType.bytes : small[round % small.count]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[position] = UInt8.random(in: .min ... .max, using: &random)
                case 1: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2: bytes[position] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
                default: bytes.removeSubrange(position..<min(position + 4, bytes.count - 1))
                }
            }
            if let document = try? BSONDocument(bytes: bytes) {
                try #require(isReadableThroughout(document), "seed \(seed), round \(round)")
            } else {
                refused += 1
            }
            _ = BSONDocument.identifier(inUnchecked: bytes)
        }
        #expect(refused > 100_000 && refused < 200_000)
    }

    /// What was accepted can be read to its end, and written again to a document that can be, too.
    private func isReadableThroughout(_ document: BSONDocument) -> Bool {
        guard let written = try? BSONDocument(document.map { ($0.name, $0.value) }),
            let read = try? BSONDocument(bytes: written.bytes)
        else { return false }
        return read.names == document.names && BSONSamples.walk(read) == BSONSamples.walk(document)
            && (BSONSamples.walk(document) == 0) == document.isEmpty
    }
}
