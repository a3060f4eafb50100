import Domain
import NIOCore
import TestKit
import Testing

@testable import VideoStreaming

struct BlockCutterTests {
    private func cutter(
        _ blockBytes: Int = 4_096, maxBlocks: Int = 1_000, maxBytes: Int64 = .max, expected: Int64? = nil
    ) -> BlockCutter {
        BlockCutter(
            plan: UploadPlan(blockBytes: blockBytes, maxBlocks: maxBlocks), maxBytes: maxBytes, expectedBytes: expected)
    }

    private func cut(_ bytes: ByteBuffer, by cutter: inout BlockCutter) throws -> [BlockCutter.Block] {
        var (bytes, blocks) = (bytes, [BlockCutter.Block]())
        while bytes.readableBytes > 0 {
            guard let block = try cutter.take(&bytes) else { break }
            blocks.append(block)
        }
        #expect(bytes.readableBytes == 0)
        return blocks
    }

    @Test(arguments: [0, 1, 4_095, 4_096, 4_097, 8_192, 100_003])
    func everyByteIsInOneBlockInItsPlace(_ count: Int) throws {
        let bytes = GatewayFixture.pattern(count)
        var random = SeededRandom(seed: 11)
        for expected in [nil, Int64(count), 1, 1_000_000] {
            var cutter = cutter(expected: expected)
            var (rest, blocks) = (bytes, [BlockCutter.Block]())
            while rest.readableBytes > 0 {
                let length = min(rest.readableBytes, Int.random(in: 1...20_000, using: &random))
                blocks += try cut(rest.readSlice(length: length) ?? ByteBuffer(), by: &cutter)
            }
            if let last = cutter.finish() { blocks.append(last) }
            #expect(blocks.map(\.index) == Array(0..<((count + 4_095) / 4_096)))
            #expect(blocks.dropLast().allSatisfy { $0.bytes.readableBytes == 4_096 })
            #expect(blocks.last.map { (1...4_096).contains($0.bytes.readableBytes) } ?? true)
            var joined = ByteBuffer()
            for block in blocks { joined.writeImmutableBuffer(block.bytes) }
            #expect(joined == bytes)
            #expect(cutter.receivedBytes == Int64(count))
        }
    }

    @Test func theLimitIsTheLastByteThatIsTaken() throws {
        var exact = cutter(maxBytes: 5_000)
        #expect(try cut(GatewayFixture.pattern(5_000), by: &exact).count == 1)
        var more = ByteBuffer(string: "x")
        #expect(throws: BlockCutter.Fault.tooLong(maxBytes: 5_000)) { try exact.take(&more) }
        var bytes = GatewayFixture.pattern(5_001)
        var fresh = cutter(maxBytes: 5_000)
        #expect(throws: BlockCutter.Fault.tooLong(maxBytes: 5_000)) { try fresh.take(&bytes) }
    }

    @Test func whatThePlanHasRoomForIsALimitToo() throws {
        var cutter = cutter(maxBlocks: 2)
        #expect(try cut(GatewayFixture.pattern(8_192), by: &cutter).count == 2)
        var more = ByteBuffer(string: "x")
        #expect(throws: BlockCutter.Fault.tooLong(maxBytes: 8_192)) { try cutter.take(&more) }
    }

    @Test func itKnowsWhetherABlockHasBegun() throws {
        var cutter = cutter()
        #expect(cutter.isBetweenBlocks)
        var bytes = GatewayFixture.pattern(1)
        #expect(try cutter.take(&bytes) == nil)
        #expect(!cutter.isBetweenBlocks)
        bytes = GatewayFixture.pattern(4_095)
        #expect(try cutter.take(&bytes)?.index == 0)
        #expect(cutter.isBetweenBlocks)
        let none = cutter.finish()
        #expect(none == nil)
    }

    @Test func aSmallBodyAsksForLittleMemory() throws {
        var cutter = cutter(8_388_608, expected: 10)
        var bytes = GatewayFixture.pattern(10)
        #expect(try cutter.take(&bytes) == nil)
        let last = cutter.finish()
        #expect((last?.bytes.storageCapacity ?? .max) < 10_000)
    }

    /// 5 MiB is no power of two, and a buffer's own memory is always one.
    @Test func aBlockTakesNoMoreMemoryThanItHasBytes() throws {
        let blockBytes = 5 << 20
        var cutter = cutter(blockBytes)
        let bytes = GatewayFixture.pattern(2 * blockBytes)
        let blocks = try cut(bytes, by: &cutter)
        #expect(blocks.map(\.bytes.storageCapacity) == [blockBytes, blockBytes])
        #expect(
            blocks.map(\.bytes) == [
                bytes.getSlice(at: 0, length: blockBytes), bytes.getSlice(at: blockBytes, length: blockBytes),
            ])
    }

    @Test(arguments: [0, 1, 100]) func memoryForABlockGrowsWhereItHasTo(_ count: Int) {
        var buffer = BlockMemory.buffer(for: count)
        #expect(buffer.readableBytes == 0)
        let bytes = GatewayFixture.pattern(100_003)
        buffer.writeImmutableBuffer(bytes)
        let copy = buffer
        buffer.writeString("x")
        #expect(copy == bytes)
        #expect(buffer.getString(at: 100_003, length: 1) == "x")
    }
}
